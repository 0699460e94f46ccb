"""Searches for an owner as the API and the command line record and show them."""

from collections.abc import Sequence

from services.ingest.diligence.schemas import ItemDiligence, OwnerSearch, OwnerSearchAnswer
from services.ingest.diligence.searches import load_search, record_search
from services.ingest.items.answers import build_diligence_answers
from shared.idempotency import once
from shared.receipts import prove_entry
from shared.records.items import load_diligence, load_item
from shared.workspace import Workspace

OPERATION = "diligence.search"


def record_owner_search(
    workspace: Workspace, item_ids: Sequence[str], search: OwnerSearch, idempotency_key: str | None = None
) -> OwnerSearchAnswer:
    """Record a search for the owner of items, and return it as recorded.

    Raises:
        NotFoundError: an item is not registered.
        InputError: an item is named twice, or the search is too long for an entry.
        ConflictError: the key was used for another request.
    """
    request = {"items": list(item_ids), "search": search.model_dump(mode="json", exclude={"items"})}
    effect = once(workspace, OPERATION, idempotency_key, request, lambda session: record_search(session, item_ids, search))
    return show_search(workspace, effect.resource_id)


def show_search(workspace: Workspace, search_id: str) -> OwnerSearchAnswer:
    """Return a search with the items that it was about.

    Raises:
        NotFoundError: no later search has this id.
    """
    with workspace.reading() as session:
        rows = load_search(session, search_id)
        [search] = build_diligence_answers(session, rows[:1])
    entry_ids = [row.entry_id for row in rows if row.entry_id is not None]
    proof = prove_entry(workspace, entry_ids[0])
    return OwnerSearchAnswer(id=search_id, items=[row.item_id for row in rows], search=search, **proof)


def show_item_searches(workspace: Workspace, item_id: str) -> ItemDiligence:
    """Return every search for the owner of an item, those stated at its registration first.

    Raises:
        NotFoundError: no item has this id.
    """
    with workspace.reading() as session:
        item = load_item(session, item_id)
        return ItemDiligence(searches=build_diligence_answers(session, load_diligence(session, item.id)))
