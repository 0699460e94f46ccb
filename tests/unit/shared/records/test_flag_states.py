"""The life of a flag: the table of steps, whole, and what holds."""

from typing import get_args

import pytest

from shared.errors import ConflictError, InputError
from shared.ledger.bodies import BODY_BY_TYPE
from shared.records.flag_states import ENDED, STEPS, FlagRole, State, StepName, allowed_steps, next_state

# The table as the design has it, written out once more: state, step, next state.
ALLOWED = {
    ("raised", "confirm"): "reviewed",
    ("raised", "overturn"): "overturned",
    ("reviewed", "notify"): "notified",
    ("reviewed", "waive"): "waived",
    ("reviewed", "assess"): "reviewed",
    ("notified", "accept"): "accepted",
    ("notified", "dispute"): "disputed",
    ("notified", "assess"): "notified",
    ("notified", "waive"): "waived",
    ("accepted", "pay"): "paid",
    ("accepted", "waive"): "waived",
    ("disputed", "accept"): "accepted",
    ("disputed", "assess"): "disputed",
    ("disputed", "pay"): "paid",
    ("disputed", "waive"): "waived",
} | {(state, "hold"): state for state in ("raised", "reviewed", "notified", "accepted", "disputed")}


@pytest.mark.parametrize("state", get_args(State))
@pytest.mark.parametrize("name", get_args(StepName))
def test_every_step_in_every_state(state: State, name: StepName) -> None:
    role = min(STEPS[name].roles)
    held = "on_hold" if name == "release" else None
    expected = state if name == "release" and state not in ENDED else ALLOWED.get((state, name))
    if expected is None:
        with pytest.raises(ConflictError) as refused:
            next_state(state, name, role, held)
        assert refused.value.code == "step_not_allowed"
    else:
        assert next_state(state, name, role, held) == expected
    assert (name in allowed_steps(state, held)) == (expected is not None)


@pytest.mark.parametrize("name", get_args(StepName))
def test_a_role_that_may_not_is_refused(name: StepName) -> None:
    state = min(STEPS[name].before)
    for role in set(get_args(FlagRole)) - STEPS[name].roles:
        with pytest.raises(InputError) as refused:
            next_state(state, name, role, None)
        assert refused.value.code == "role_not_allowed"


def test_what_is_held_is_not_paid_and_only_what_is_held_released() -> None:
    for name, held, code in (
        ("pay", "contested_ownership", "flag_held"),
        ("hold", "on_hold", "flag_held"),
        ("release", None, "flag_not_held"),
    ):
        role = min(STEPS[name].roles)  # type: ignore[index]
        with pytest.raises(ConflictError) as refused:
            next_state("accepted", name, role, held)  # type: ignore[arg-type]
        assert refused.value.code == code
        assert name not in allowed_steps("accepted", held)


def test_nothing_leads_out_of_an_end_and_every_step_has_its_entry() -> None:
    for state in ENDED:
        assert allowed_steps(state, None) == allowed_steps(state, "on_hold") == []
    assert {step.entry_type for step in STEPS.values()} <= set(BODY_BY_TYPE)
