"""The dry run decides what the gate decided, from what was recorded."""

from sqlmodel import select

from services.output_gate.checks.service import check_generations
from services.output_gate.policy.dry_run import run_dry
from shared.records.models import Calibration
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld, build_policy


def test_under_the_policy_in_force_nothing_changes(world: MemoryWorld) -> None:
    check_generations(world.gate, "model-a", [png(seed) for seed in (0, 1, 5_000)])
    run = run_dry(world.workspace, build_policy(), None)
    assert (run.checks, run.unchanged, run.changed, run.not_decidable) == (3, 3, [], [])


def test_what_cannot_be_decided_again_says_why(world: MemoryWorld) -> None:
    check_generations(world.gate, "model-a", [png(0)])
    world.gate.index.remove([world.items[0].id])
    check_generations(world.gate, "model-a", [png(0)])
    with world.workspace.writing() as session:
        for calibration in session.exec(select(Calibration)):
            session.delete(calibration)
    run = run_dry(world.workspace, build_policy(), None)
    assert {refused.reason: refused.count for refused in run.not_decidable} == {"calibration_missing": 1, "index_behind": 1}
