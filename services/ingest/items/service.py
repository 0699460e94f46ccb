"""Pages of items."""

from services.ingest.items.answers import build_item_answer
from services.ingest.items.schemas import ItemAnswer
from shared.auth.caller import current_caller
from shared.auth.item_visibility import own_items_only
from shared.http.paging import Page, decode_cursor, encode_cursor
from shared.records.items import list_items
from shared.workspace import Workspace


def page_of_items(workspace: Workspace, cursor: str | None, limit: int, **equal: str | None) -> Page[ItemAnswer]:
    """Return a page of the items that the caller sees in full, oldest first.

    Args:
        workspace: whose items.
        cursor: of the page before; None for the first.
        limit: how many at most.
        equal: columns and the values that they must have; None is any.

    Raises:
        InputError: the cursor is none of ours.
    """
    after = decode_cursor(cursor) if cursor else ""
    with workspace.reading() as session:
        found = list_items(session, after, limit + 1, owner_id=own_items_only(current_caller()), **equal)
        shown = [build_item_answer(session, item) for item in found[:limit]]
    return Page(items=shown, next_cursor=encode_cursor(found[limit - 1].id) if len(found) > limit else None)
