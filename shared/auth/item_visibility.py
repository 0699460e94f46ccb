"""What a caller sees of an item.

With `items:read`, every item in full. With `items:own`, in full the items that name the key's party as a presumed owner; of
others what anyone may see: id, licence and state. That leaves out who acquired them and every person's name.
"""

from collections.abc import Collection

from pydantic import BaseModel, Field

from shared.auth.caller import Caller


class PublicItem(BaseModel):
    """What anyone may see of an item: that it is there, under which licence, and whether it was withdrawn."""

    id: str
    licence: str = Field(description="SPDX expression, or LicenseRef-….")
    state: str


def sees_item(caller: Caller, party_ids: Collection[str]) -> bool:
    """Say whether a caller sees an item in full.

    Args:
        caller: who asks.
        party_ids: of the item's presumed owners.
    """
    return caller.holds("items:read") or (caller.holds("items:own") and caller.party_id in party_ids)


def own_items_only(caller: Caller) -> str | None:
    """Return the party whose items are all that the caller sees in full; None where the caller sees every item.

    Raises:
        ForbiddenError: the caller sees only a party's items, and speaks for none.
    """
    return None if caller.holds("items:read") else caller.require_party()
