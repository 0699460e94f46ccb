"""Amendments and withdrawals: once for each key, of what the caller saw, and never of a withdrawn item."""

import pytest

from services.ingest.items.service import build_history, show_item
from services.ingest.lifecycle.schemas import Amendment, Withdrawal
from services.ingest.lifecycle.service import amend_item, withdraw_item
from shared.errors import ConflictError, InputError, PreconditionError
from shared.http.entity_tags import build_etag
from shared.workspace import Workspace
from tests.support.factories import png, register

RETITLED = Amendment(reason="misspelt", title="Another title")


def test_an_amendment_is_a_new_entry(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    assert amend_item(workspace, item.id, RETITLED).title == "Another title"
    entries = build_history(workspace, item.id).entries
    assert [entry.type for entry in entries] == ["item.registered", "item.amended"]


def test_one_key_amends_once(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    answers = [amend_item(workspace, item.id, RETITLED, idempotency_key="k") for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(build_history(workspace, item.id).entries) == 2
    with pytest.raises(ConflictError):
        amend_item(workspace, item.id, Amendment(reason="again", title="A third"), idempotency_key="k")


def test_only_what_the_caller_saw_is_changed(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    tag = build_etag(show_item(workspace, item.id))
    amend_item(workspace, item.id, RETITLED, if_match=tag)
    with pytest.raises(PreconditionError):
        withdraw_item(workspace, item.id, Withdrawal(reason="opted out"), if_match=tag)


def test_a_withdrawn_item_is_not_changed(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    assert withdraw_item(workspace, item.id, Withdrawal(reason="opted out")).state == "withdrawn"
    for change in (
        lambda: amend_item(workspace, item.id, RETITLED),
        lambda: withdraw_item(workspace, item.id, Withdrawal(reason="again")),
    ):
        with pytest.raises(ConflictError):
            change()


def test_a_bad_licence_changes_nothing(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    with pytest.raises(InputError):
        amend_item(workspace, item.id, Amendment(reason="r", title="T", licence="no licence"))
    assert len(build_history(workspace, item.id).entries) == 1
