"""Items as they are shown: pages with filters, one item, its receipt, its history."""

import pytest

from services.ingest.items.schemas import ItemAnswer
from services.ingest.items.service import build_history, load_item_receipt, page_of_items, show_item
from services.ingest.lifecycle.schemas import Withdrawal
from services.ingest.lifecycle.service import withdraw_item
from shared.errors import InputError, NotFoundError
from shared.http.paging import PageRequest
from shared.ledger.verify import verify_receipt
from shared.workspace import Workspace
from tests.support.factories import png, register


def test_pages_follow_each_other_and_end(workspace: Workspace) -> None:
    ids = [register(workspace, f"{number}.png", png(number)).id for number in range(3)]
    first = page_of_items(workspace, PageRequest(limit=2))
    second = page_of_items(workspace, PageRequest(first.next_cursor, 2))
    assert [item.id for item in [*first.items, *second.items]] == sorted(ids)
    assert second.next_cursor is None


def test_each_filter_must_hold(workspace: Workspace) -> None:
    register(workspace, "a.png", png(1), licence="CC0-1.0")
    item = register(workspace, "b.png", png(2))
    page = page_of_items(workspace, PageRequest(), licence=item.licence, blob_sha256=item.blob_sha256)
    assert [shown.source_key for shown in page.items] == ["b.png"]
    assert page_of_items(workspace, PageRequest(), state="withdrawn").items == []


def test_a_foreign_cursor_is_refused(workspace: Workspace) -> None:
    with pytest.raises(InputError):
        page_of_items(workspace, PageRequest("*"))


def test_an_item_is_shown_with_receipt_and_history(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    withdraw_item(workspace, item.id, Withdrawal(reason="opted out"))
    answer = show_item(workspace, item.id)
    assert isinstance(answer, ItemAnswer)
    assert (answer.title, answer.state) == (item.title, "withdrawn")
    entries = build_history(workspace, item.id).entries
    assert [entry.type for entry in entries] == ["item.registered", "item.withdrawn"]
    receipt = load_item_receipt(workspace, item.id)
    assert verify_receipt(receipt, workspace.log.vkey).entry.type == "item.registered"


def test_an_unknown_item_is_not_found(workspace: Workspace) -> None:
    for show in (show_item, build_history, load_item_receipt):
        with pytest.raises(NotFoundError):
            show(workspace, "nothing")
