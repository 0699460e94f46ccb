"""Raising a flag: what holds it, what it owes, and what its message says."""

import pytest
from sqlmodel import select

from services.output_gate.checks.service import check_generation
from services.output_gate.flags.creation import CONTESTED, UNKNOWN_OWNER, build_event_data, find_hold, raise_flags
from services.output_gate.results.recorded import read_result
from shared.errors import CorruptStateError
from shared.records.flags import Flag
from tests.support.factories import png, register
from tests.support.memory_gate import MemoryWorld, build_policy


def flag_of(world: MemoryWorld, seed: int) -> Flag:
    check = check_generation(world.gate, "model-a", png(seed))
    with world.workspace.reading() as session:
        return session.exec(select(Flag).where(Flag.check_id == check.id)).one()


def test_the_amount_is_the_tariffs_of_the_policy_in_force(world: MemoryWorld) -> None:
    tiers = [{"kinds": ["whole"], "amount_minor": 5}]
    world.adopt(version=2, rule="fused", tariff={"currency": "USD", "amount_minor": 9, "tiers": tiers})
    flag = flag_of(world, 2)
    assert (flag.currency, flag.amount_minor, flag.kind) == ("USD", 5, "whole")


def test_what_holds_a_flag(world: MemoryWorld) -> None:
    with world.workspace.reading() as session:
        assert find_hold(session, world.items[1], (), []) == UNKNOWN_OWNER
        assert find_hold(session, world.items[1], (), [{"party": "p"}]) is None
    register(world.workspace, "again.png", png(1), owners=[{"name": "Paula", "basis": "claim", "confidence": 0.5}])
    assert flag_of(world, 1).held == CONTESTED


def test_a_message_names_nobody(world: MemoryWorld) -> None:
    data = build_event_data(flag_of(world, 2))
    assert data.keys() == {"flag_id", "check_id", "item_id", "kind", "state", "currency", "amount_minor", "held"}


def test_a_check_without_a_match_raises_none(world: MemoryWorld) -> None:
    world.gate.index.remove([world.items[0].id])
    check = check_generation(world.gate, "model-a", png(1))
    with pytest.raises(CorruptStateError), world.workspace.writing() as session:
        raise_flags(session, check, read_result(check), build_policy())
