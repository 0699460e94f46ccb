"""Which flags a caller sees, and in which role a caller acts on them.

Rules, in order:

1. With `flags:read` every flag is seen. With `flags:owner`, the flags that name the key's party, without the names and notes
   of who handled them; of what is owed, the party's own rows.
2. A step in a role needs that role's scope. As owner, a party acts on the flags that name it and on no others.
3. The operator sees every flag, and acts in the role that is stated.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.auth.caller import OPERATOR, Caller
from shared.auth.scopes import Scope
from shared.errors import ForbiddenError
from shared.records.flag_states import FlagRole

SCOPE_OF_ROLE: Mapping[FlagRole, Scope] = {
    "reviewer": "flags:review",
    "compliance": "flags:compliance",
    "finance": "flags:finance",
    "owner": "flags:owner",
}


def own_flags_only(caller: Caller) -> str | None:
    """Return the party whose flags are all that the caller sees; None where the caller sees every flag.

    Raises:
        ForbiddenError: the caller sees only a party's flags, and speaks for none.
    """
    return None if caller.holds("flags:read") else caller.require_party()


def verify_sees_flag(caller: Caller, shares: Iterable[Mapping[str, Any]]) -> None:
    """Check that a caller sees a flag.

    Args:
        caller: who asks.
        shares: the flag's, each with its `party`.

    Raises:
        ForbiddenError: the flag names others.
    """
    party_id = own_flags_only(caller)
    if party_id is not None:
        _verify_named(party_id, shares)


def verify_role(caller: Caller, role: FlagRole, shares: Iterable[Mapping[str, Any]]) -> None:
    """Check that a caller may act on a flag in a role.

    Raises:
        ForbiddenError: the key lacks the role's scope, or acts as an owner whom the flag does not name.
    """
    scope = SCOPE_OF_ROLE[role]
    if not caller.holds(scope):
        raise ForbiddenError(f"expected a key with the scope {scope} to act as {role}", code="role_not_held")
    if role == "owner" and caller is not OPERATOR:
        _verify_named(caller.require_party(), shares)


def _verify_named(party_id: str, shares: Iterable[Mapping[str, Any]]) -> None:
    if party_id not in {share["party"] for share in shares}:
        raise ForbiddenError("expected a flag that names the key's party", code="flag_not_yours")
