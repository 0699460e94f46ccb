"""Metrics: counted from log, index and database; what cannot be asked is named."""

import pytest

from services.output_gate.checks.service import check_generations
from services.output_gate.completeness.count import CompletenessCount
from services.output_gate.operation.metrics import GateCollector, observe_steps, render_metrics
from shared.errors import UnavailableError
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld


def render(world: MemoryWorld) -> str:
    return render_metrics(GateCollector(world.gate, CompletenessCount(world.workspace))).decode()


def test_what_was_done_is_counted(world: MemoryWorld) -> None:
    check_generations(world.gate, "model-a", [png(1), png(5_000)])
    observe_steps({"embed": 3.0})
    text = render(world)
    assert 'sleeve_checks_total{decision="flag",reason="above_control_threshold"} 1.0' in text
    assert 'sleeve_flags{state="raised"} 1.0' in text
    assert 'sleeve_check_step_seconds_bucket{le="0.005",step="embed"}' in text
    assert 'sleeve_scrape_failed{part="index"} 0.0' in text


def test_a_part_that_is_down_does_not_take_the_others_along(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> None:
        raise UnavailableError("no", code="index_down")

    monkeypatch.setattr(world.gate.indexer, "measure", down)
    text = render(world)
    assert 'sleeve_scrape_failed{part="index"} 1.0' in text
    assert "sleeve_log_entries" in text
    assert "sleeve_index_gaps " not in text
