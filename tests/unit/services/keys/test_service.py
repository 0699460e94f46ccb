"""Keys: made once, shown once, listed, revoked."""

import pytest

from services.keys.schemas import KeyRequest
from services.keys.service import create_key, page_of_keys, revoke_key, show_key
from shared.errors import ConflictError, InputError, NotFoundError
from shared.http.paging import PageRequest
from shared.ledger.verify import verify_receipt
from shared.workspace import Workspace

READER = KeyRequest(name="a dashboard", scopes=("items:read",))


def test_a_key_is_shown_once(workspace: Workspace) -> None:
    first, second = (create_key(workspace, READER, "k") for _ in range(2))
    assert first.key is not None
    assert (second.id, second.key) == (first.id, None)
    assert first.receipt is not None
    assert verify_receipt(first.receipt, workspace.log.vkey).entry.type == "key.created"
    with pytest.raises(ConflictError):
        create_key(workspace, READER.model_copy(update={"name": "another"}), "k")


def test_a_revoked_key_stays_on_record(workspace: Workspace) -> None:
    key = create_key(workspace, READER)
    revoked = revoke_key(workspace, key.id)
    assert revoked.state == "revoked"
    assert revoke_key(workspace, key.id) == revoked == show_key(workspace, key.id)


def test_keys_are_listed_in_pages(workspace: Workspace) -> None:
    ids = [create_key(workspace, READER).id for _ in range(3)]
    first = page_of_keys(workspace, PageRequest(limit=2))
    second = page_of_keys(workspace, PageRequest(first.next_cursor, 2))
    assert sorted(key.id for key in [*first.items, *second.items]) == sorted(ids)


def test_a_time_that_is_over_or_an_unknown_party_is_refused(workspace: Workspace) -> None:
    past = KeyRequest.model_validate({"name": "k", "scopes": ["items:read"], "expires_at": "2020-01-01T00:00:00Z"})
    stranger = KeyRequest(name="k", scopes=("items:own",), party_id="nobody")
    for request in (past, stranger):
        with pytest.raises(InputError):
            create_key(workspace, request)
    with pytest.raises(NotFoundError):
        show_key(workspace, "nothing")
