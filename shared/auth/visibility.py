"""What a caller sees of items and flags, and in which roles a caller acts: the one place that says so.

Rules, in order:

1. With `items:read` every item is seen in full. With `items:own`, the items that name the key's party as a presumed owner; of
   others what anyone may see: id, licence and state. That leaves out who acquired them and every person's name.
2. With `flags:read` every flag is seen. With `flags:owner`, the flags that name the key's party, without the names and notes
   of who handled them; of what is owed, the party's own rows.
3. A step in a role needs that role's scope; as owner, a party acts on the flags that name it and on no others.
4. The operator sees everything and acts in the role that is stated.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, Field

from shared.auth.caller import OPERATOR, Caller
from shared.auth.scopes import Scope
from shared.errors import ForbiddenError

SCOPE_OF_ROLE: Mapping[str, Scope] = {
    "reviewer": "flags:review",
    "compliance": "flags:compliance",
    "finance": "flags:finance",
    "owner": "flags:owner",
}


class PublicItem(BaseModel):
    """What anyone may see of an item: that it is there, under which licence, and whether it was withdrawn."""

    id: str
    licence: str = Field(description="SPDX expression, or LicenseRef-….")
    state: str


def own_items_only(caller: Caller) -> str | None:
    """Return the party to whose items the caller is kept; None where all may be seen."""
    return None if caller.holds("items:read") else _party_of(caller)


def sees_item(caller: Caller, party_ids: Collection[str]) -> bool:
    """Say whether a caller sees an item in full.

    Args:
        caller: who asks.
        party_ids: of the item's presumed owners.
    """
    return caller.holds("items:read") or (caller.holds("items:own") and caller.party_id in party_ids)


def verify_sees_item(caller: Caller, party_ids: Collection[str]) -> None:
    """Check that a caller sees an item in full.

    Raises:
        ForbiddenError: the item names others.
    """
    if not sees_item(caller, party_ids):
        raise ForbiddenError("expected an item that names the key's party as an owner", code="item_not_yours")


def own_flags_only(caller: Caller) -> str | None:
    """Return the party to whose flags the caller is kept; None where all may be seen."""
    return None if caller.holds("flags:read") else _party_of(caller)


def verify_sees_flag(caller: Caller, shares: Iterable[Mapping[str, Any]]) -> None:
    """Check that a caller sees a flag.

    Args:
        caller: who asks.
        shares: the flag's, each with its `party`.

    Raises:
        ForbiddenError: the flag names others.
    """
    party = own_flags_only(caller)
    if party is not None:
        _verify_named(party, shares)


def verify_role(caller: Caller, role: str, shares: Iterable[Mapping[str, Any]]) -> None:
    """Check that a caller may act on a flag in a role.

    Raises:
        ForbiddenError: the key has not the role's scope, or acts as an owner whom the flag does not name.
    """
    scope = SCOPE_OF_ROLE[role]
    if not caller.holds(scope):
        raise ForbiddenError(f"expected a key with the scope {scope} to act as {role}", code="role_not_held")
    if role == "owner" and caller is not OPERATOR:
        _verify_named(_party_of(caller), shares)


def _verify_named(party_id: str, shares: Iterable[Mapping[str, Any]]) -> None:
    if party_id not in {share["party"] for share in shares}:
        raise ForbiddenError("expected a flag that names the key's party", code="flag_not_yours")


def _party_of(caller: Caller) -> str:
    if caller.party_id is None:
        raise ForbiddenError("expected a key that speaks for a party", code="party_missing")
    return caller.party_id
