"""What a step changes beside the state: amounts, holds, shares."""

import pytest

from services.output_gate.checks.service import check_generation
from services.output_gate.flags.steps import RequestedStep, find_current_hold, take_step
from shared.errors import ConflictError, InputError
from shared.records.flag_states import FlagRole, StepName
from shared.records.flags import Flag, find_flags_of_check
from tests.support.factories import png, register
from tests.support.memory_gate import MemoryWorld


def raise_one(world: MemoryWorld) -> str:
    check = check_generation(world.gate, "model-a", png(2))
    with world.workspace.reading() as session:
        [flag] = find_flags_of_check(session, check.id)
    return flag.id


def step(world: MemoryWorld, flag_id: str, name: StepName, role: FlagRole, **fields: object) -> Flag:
    with world.workspace.writing() as session:
        return take_step(session, flag_id, RequestedStep(name, role, **fields))  # type: ignore[arg-type]


def test_an_assessment_divides_the_new_amount(world: MemoryWorld) -> None:
    flag_id = raise_one(world)
    step(world, flag_id, "confirm", "reviewer")
    with pytest.raises(InputError, match="currency and amount"):
        step(world, flag_id, "assess", "finance", reason="letter")
    flag = step(world, flag_id, "assess", "finance", reason="letter", currency="USD", amount_minor=7)
    assert (flag.currency, flag.amount_minor, flag.shares[0]["amount_minor"]) == ("USD", 7, 7)


def test_a_step_that_needs_a_reason_has_one(world: MemoryWorld) -> None:
    with pytest.raises(InputError) as caught:
        step(world, raise_one(world), "overturn", "reviewer")
    assert caught.value.code == "reason_missing"


def test_an_owner_who_comes_later_holds_the_flag_until_a_release(world: MemoryWorld) -> None:
    flag_id = raise_one(world)
    owners = [{"name": "Paula Painter", "basis": "claim", "confidence": 0.5}]
    register(world.workspace, "claimed.png", png(2), owners=owners)
    with world.workspace.reading() as session:
        assert find_current_hold(session, session.get_one(Flag, flag_id)) == "contested_ownership"
    for name, role in (("confirm", "reviewer"), ("notify", "compliance"), ("accept", "owner")):
        step(world, flag_id, name, role)  # type: ignore[arg-type]
    with pytest.raises(ConflictError):
        step(world, flag_id, "pay", "finance")
    released = step(world, flag_id, "release", "compliance", reason="settled")
    assert released.contest_released
    assert step(world, flag_id, "pay", "finance").state == "paid"


def test_nothing_is_paid_without_an_amount(world: MemoryWorld) -> None:
    world.adopt(version=2, tariff=None)
    flag_id = raise_one(world)
    for name, role in (("confirm", "reviewer"), ("notify", "compliance"), ("accept", "owner")):
        step(world, flag_id, name, role)  # type: ignore[arg-type]
    with pytest.raises(ConflictError) as caught:
        step(world, flag_id, "pay", "finance")
    assert caught.value.code == "amount_unknown"
    assessed = step(world, flag_id, "assess", "finance", reason="agreed", currency="EUR", amount_minor=900)
    assert (assessed.state, assessed.amount_minor) == ("accepted", 900)
    with pytest.raises(ConflictError) as changed:
        step(world, flag_id, "assess", "finance", reason="less", currency="EUR", amount_minor=1)
    assert changed.value.code == "amount_accepted"
    assert step(world, flag_id, "pay", "finance").state == "paid"
