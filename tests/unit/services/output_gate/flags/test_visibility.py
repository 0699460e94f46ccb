"""Which flags a caller sees, and in which role it acts on them."""

import pytest

from services.output_gate.flags.visibility import SCOPE_OF_ROLE, own_flags_only, verify_role, verify_sees_flag
from shared.auth.caller import ANYONE, OPERATOR, Caller
from shared.errors import ForbiddenError
from shared.records.flag_states import STEPS

READER = Caller("reader", frozenset({"flags:read"}))
OWNER = Caller("owner", frozenset({"flags:owner"}), "party-1")
OWN, FOREIGN = [{"party": "party-1"}, {"party": "party-2"}], [{"party": "party-2"}]


def test_every_role_has_a_scope() -> None:
    assert set(SCOPE_OF_ROLE) == {role for step in STEPS.values() for role in step.roles}


def test_a_reader_sees_every_flag_and_an_owner_its_own() -> None:
    assert own_flags_only(READER) is None
    assert own_flags_only(OWNER) == "party-1"
    verify_sees_flag(READER, FOREIGN)
    verify_sees_flag(OWNER, OWN)
    with pytest.raises(ForbiddenError, match="names the key's party"):
        verify_sees_flag(OWNER, FOREIGN)
    with pytest.raises(ForbiddenError, match="speaks for a party"):
        verify_sees_flag(ANYONE, OWN)


def test_a_role_is_acted_in_with_its_scope_and_as_owner_on_own_flags_alone() -> None:
    verify_role(OPERATOR, "owner", FOREIGN)
    verify_role(OWNER, "owner", OWN)
    with pytest.raises(ForbiddenError, match="names the key's party"):
        verify_role(OWNER, "owner", FOREIGN)
    with pytest.raises(ForbiddenError, match="flags:finance"):
        verify_role(OWNER, "finance", OWN)
