"""Readiness for anyone who asks."""

from services.output_gate.operation.recent_readiness import KEPT_SECONDS, RecentReadiness
from tests.support.memory_gate import MemoryWorld


def test_anyone_learns_it_as_of_a_moment_ago_and_without_details(world: MemoryWorld) -> None:
    now = [0.0]
    recent = RecentReadiness(world.gate, lambda: now[0])
    first = recent.read()
    assert (first.ready, first.dependencies) == (True, [])
    world.gate.indexer.failure = "index_down"
    assert recent.read().ready
    now[0] = KEPT_SECONDS
    assert not recent.read().ready
