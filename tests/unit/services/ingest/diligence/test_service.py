"""Searches for an owner after registration: for all items or none, once for each key, beside the earlier ones."""

import pytest

from services.ingest.diligence.schemas import OwnerSearch
from services.ingest.diligence.service import record_owner_search, show_item_searches, show_search
from shared.errors import InputError, NotFoundError
from shared.ledger.verify import verify_receipt
from shared.workspace import Workspace
from tests.support.factories import png, register

SEARCH = OwnerSearch.model_validate(
    {
        "sources": ["a register of artists"],
        "query": "Olga Owner",
        "searched_by": "Sam Searcher",
        "searched_at": "2026-02-01T12:00:00Z",
        "work_category": "photography",
        "result": "owner_not_found",
    }
)


def test_a_search_is_of_all_its_items(workspace: Workspace) -> None:
    ids = [register(workspace, f"{number}.png", png(number)).id for number in range(2)]
    answer = record_owner_search(workspace, ids, SEARCH)
    assert answer == show_search(workspace, answer.id)
    assert answer.items == ids
    assert verify_receipt(answer.receipt, workspace.log.vkey).entry.type == "diligence.searched"
    for item_id in ids:
        results = [search.result for search in show_item_searches(workspace, item_id).searches]
        assert results == ["creator named", "owner_not_found"]


def test_one_key_records_one_search(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    answers = [record_owner_search(workspace, [item.id], SEARCH, "k") for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(show_item_searches(workspace, item.id).searches) == 2


def test_an_item_that_is_missing_or_repeated_spoils_the_search(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    with pytest.raises(NotFoundError):
        record_owner_search(workspace, [item.id, "nothing"], SEARCH)
    with pytest.raises(InputError):
        record_owner_search(workspace, [item.id, item.id], SEARCH)
    assert len(show_item_searches(workspace, item.id).searches) == 1


def test_an_unknown_search_is_not_found(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError):
        show_search(workspace, "nothing")
