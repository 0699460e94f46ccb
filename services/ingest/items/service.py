"""Items as they are shown: one, a page of them, the receipt of a registration, and everything that the log says."""

from services.ingest.items.answers import build_item_answer, build_visible_item
from services.ingest.items.schemas import EntryAnswer, History, ItemAnswer
from shared.auth.caller import current_caller
from shared.auth.item_visibility import PublicItem, own_items_only
from shared.http.paging import Page, PageRequest
from shared.records.items import list_items, load_entry_ids, load_item
from shared.records.openings import load_opened_entries, load_openings
from shared.workspace import Workspace


def page_of_items(workspace: Workspace, page: PageRequest, **equal: str | None) -> Page[ItemAnswer]:
    """Return a page of the items that the caller sees in full, oldest first.

    Args:
        workspace: whose items.
        page: which page.
        equal: columns of the item and the values that they must have; None is any.

    Raises:
        InputError: the cursor is none of ours.
    """
    owner_id = own_items_only(current_caller())
    with workspace.reading() as session:
        items = list_items(session, page.position, page.rows_to_load, owner_id=owner_id, **equal)
        return page.build(items, lambda item: item.id, lambda rows: [build_item_answer(session, item) for item in rows])


def show_item(workspace: Workspace, item_id: str) -> ItemAnswer | PublicItem:
    """Return what the caller may see of an item.

    Raises:
        NotFoundError: no item has this id.
    """
    with workspace.reading() as session:
        return build_visible_item(session, load_item(session, item_id), current_caller())


def load_item_receipt(workspace: Workspace, item_id: str) -> str:
    """Return the proof that the item's registration is in the log (C2SP tlog-proof).

    Raises:
        NotFoundError: no item has this id.
    """
    with workspace.reading() as session:
        entry_id = load_item(session, item_id).entry_id
    return workspace.log.receipt(entry_id)


def build_history(workspace: Workspace, item_id: str) -> History:
    """Gather the entries about an item, oldest first, each with its receipt.

    Raises:
        NotFoundError: no item has this id.
    """
    with workspace.reading() as session:
        entry_ids = load_entry_ids(session, load_item(session, item_id))
        openings = load_openings(session, entry_ids)
    entries = load_opened_entries(workspace.log, entry_ids, openings)
    return History(entries=[EntryAnswer(**entry.answer_fields()) for entry in entries])
