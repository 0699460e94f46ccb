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
    ("accepted", "assess"): "accepted",
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
    # An amount that was accepted is changed no more; nothing is paid without one.
    amount_known = name != "assess"
    expected = state if name == "release" and state not in ENDED else ALLOWED.get((state, name))
    if expected is None:
        with pytest.raises(ConflictError) as refused:
            next_state(state, name, role, held, amount_known=amount_known)
        assert refused.value.code == "step_not_allowed"
    else:
        assert next_state(state, name, role, held, amount_known=amount_known) == expected
    assert (name in allowed_steps(state, held, amount_known=amount_known)) == (expected is not None)


@pytest.mark.parametrize("name", get_args(StepName))
def test_a_role_that_may_not_is_refused(name: StepName) -> None:
    state = min(STEPS[name].before)
    for role in set(get_args(FlagRole)) - STEPS[name].roles:
        with pytest.raises(InputError) as refused:
            next_state(state, name, role, None, amount_known=True)
        assert refused.value.code == "role_not_allowed"


def test_what_is_held_is_not_paid_and_only_what_is_held_released() -> None:
    for name, held, code in (
        ("pay", "contested_ownership", "flag_held"),
        ("hold", "on_hold", "flag_held"),
        ("release", None, "flag_not_held"),
    ):
        role = min(STEPS[name].roles)  # type: ignore[index]
        with pytest.raises(ConflictError) as refused:
            next_state("accepted", name, role, held, amount_known=True)  # type: ignore[arg-type]
        assert refused.value.code == code
        assert name not in allowed_steps("accepted", held, amount_known=True)


def test_nothing_leads_out_of_an_end_and_every_step_has_its_entry() -> None:
    for state in ENDED:
        assert allowed_steps(state, None, amount_known=True) == allowed_steps(state, "on_hold", amount_known=False) == []
    assert {step.entry_type for step in STEPS.values()} <= set(BODY_BY_TYPE)


Situation = tuple[State, str | None, bool]


def reachable(start: Situation) -> set[Situation]:
    """Every state, hold and knowledge of the amount that steps lead to from a flag's present ones."""
    seen, waiting = {start}, [start]
    while waiting:
        state, held, amount_known = waiting.pop()
        for name in allowed_steps(state, held, amount_known=amount_known):
            after = next_state(state, name, min(STEPS[name].roles), held, amount_known=amount_known)
            holds = {"hold": "on_hold", "release": None}
            situation = (after, holds.get(name, held), amount_known or name == "assess")
            if situation not in seen:
                seen.add(situation)
                waiting.append(situation)
    return seen


@pytest.mark.parametrize("amount_known", [False, True])
@pytest.mark.parametrize("held", [None, "on_hold", "contested_ownership"])
@pytest.mark.parametrize("state", sorted(set(get_args(State)) - ENDED))
def test_from_every_state_a_flag_can_be_paid_and_waived(state: State, held: str | None, amount_known: bool) -> None:
    ends = {situation[0] for situation in reachable((state, held, amount_known))}
    assert {"paid", "waived"} <= ends


@pytest.mark.parametrize("state", sorted(set(get_args(State)) - ENDED - {"raised"}))
def test_a_flag_without_a_known_owner_can_be_waived_while_it_is_held(state: State) -> None:
    assert "waive" in allowed_steps(state, "owner_unknown", amount_known=False)


def test_an_accepted_amount_is_changed_no_more_and_none_is_paid_without_one() -> None:
    for name, amount_known, code in (("assess", True, "amount_accepted"), ("pay", False, "amount_unknown")):
        with pytest.raises(ConflictError) as refused:
            next_state("accepted", name, "finance", None, amount_known=amount_known)  # type: ignore[arg-type]
        assert refused.value.code == code
        assert name not in allowed_steps("accepted", None, amount_known=amount_known)
