"""What holds flags by now, many at once as one by one."""

from sqlmodel import select

from services.output_gate.checks.service import check_generations
from services.output_gate.flags.holds import cluster_of, find_holds, load_checks_of
from services.output_gate.flags.steps import find_current_hold
from shared.records.flags import Flag
from tests.support.factories import png, register
from tests.support.memory_gate import MemoryWorld


def test_many_at_once_are_held_as_each_is(world: MemoryWorld) -> None:
    check_generations(world.gate, "model-a", [png(1), png(2)])
    register(world.workspace, "again.png", png(2), owners=[{"name": "Paula", "basis": "claim", "confidence": 0.5}])
    with world.workspace.reading() as session:
        flags = session.exec(select(Flag).order_by(Flag.id)).all()
        checks = load_checks_of(session, flags)
        holds = find_holds(session, flags, checks)
        assert holds == {flag.id: find_current_hold(session, flag) for flag in flags}
        assert sorted(holds.values(), key=str) == [None, "contested_ownership"]
        assert cluster_of(flags[0], checks[flags[0].check_id]).match == flags[0].item_id
