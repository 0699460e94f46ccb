"""What routes about one item ask of their caller."""

from typing import Annotated

from fastapi import Depends, Path

from shared.auth.access import needs
from shared.auth.item_visibility import sees_item
from shared.errors import ForbiddenError
from shared.http.dependencies import CurrentCaller, CurrentWorkspace
from shared.records.item_owners import load_owners
from shared.records.items import load_item


def verify_item_visible(workspace: CurrentWorkspace, caller: CurrentCaller, item_id: Annotated[str, Path()]) -> None:
    """Check that the caller sees the item in full.

    Raises:
        NotFoundError: no item has this id.
        ForbiddenError: the item names others.
    """
    if caller.holds("items:read"):
        return
    with workspace.reading() as session:
        item = load_item(session, item_id)
        owners = load_owners(session, [item.id])[item.id]
    if not sees_item(caller, {party.id for _, party in owners}):
        raise ForbiddenError("expected an item that names the key's party as an owner", code="item_not_yours")


# For `dependencies=` of routes with `{item_id}` in their path.
NEEDS_VISIBILITY = (*needs("items:read", "items:own"), Depends(verify_item_visible))
