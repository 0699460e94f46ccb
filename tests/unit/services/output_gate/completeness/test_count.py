"""The log held against the database."""

from sqlmodel import select

from services.output_gate.checks.service import check_generations
from services.output_gate.completeness.count import CompletenessCount
from services.output_gate.completeness.schemas import build_completeness_answer
from shared.records.checks import Check
from shared.records.flags import Flag
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld


def test_what_the_gate_did_is_complete_and_a_count_goes_on(world: MemoryWorld) -> None:
    completeness = CompletenessCount(world.workspace)
    check_generations(world.gate, "model-a", [png(1)])
    assert completeness.bring_up().is_complete
    check_generations(world.gate, "model-a", [png(2), png(5_000)])
    answer = build_completeness_answer(completeness.bring_up())
    assert (answer.complete, answer.checks, answer.decisions) == (True, 3, {"flag": 2, "clear": 1})
    assert (answer.flags, answer.open_flags, answer.oldest_open[0].state) == (2, 2, "raised")


def test_rows_that_were_changed_behind_a_count_are_gaps(world: MemoryWorld) -> None:
    check_generations(world.gate, "model-a", [png(1)])
    completeness = CompletenessCount(world.workspace)
    with world.workspace.writing() as session:
        session.exec(select(Check)).one().decision = "clear"
        session.exec(select(Flag)).one().state = "notified"
    answer = build_completeness_answer(completeness.bring_up())
    assert (answer.complete, answer.gap_counts) == (False, {"check_differs": 1, "state_differs": 1})
