"""Recorded searches turned into answers."""

from services.ingest.diligence.schemas import ItemDiligence, OwnerSearchAnswer
from services.ingest.diligence.service import load_search
from services.ingest.items.answers import build_diligence_answers
from shared.records.items import load_diligence, load_item
from shared.workspace import Workspace


def build_search_answer(workspace: Workspace, search_id: str) -> OwnerSearchAnswer:
    """Gather a search.

    Raises:
        NotFoundError: no later search has this id.
    """
    with workspace.reading() as session:
        rows = load_search(session, search_id)
        [search] = build_diligence_answers(session, rows[:1])
    entry_ids = [row.entry_id for row in rows if row.entry_id is not None]
    receipt = workspace.log.receipt(entry_ids[0])
    return OwnerSearchAnswer(id=search_id, items=[row.item_id for row in rows], search=search, receipt=receipt)


def build_item_diligence(workspace: Workspace, item_id: str) -> ItemDiligence:
    """Gather every search for the owner of an item.

    Raises:
        NotFoundError: no item has this id.
    """
    with workspace.reading() as session:
        item = load_item(session, item_id)
        return ItemDiligence(searches=build_diligence_answers(session, load_diligence(session, item.id)))
