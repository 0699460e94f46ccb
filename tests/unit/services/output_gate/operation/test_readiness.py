"""Readiness: each dependency asked by name."""

import shutil

import pytest

from services.output_gate.operation.readiness import measure_readiness, readiness_problem
from shared.errors import UnavailableError
from tests.support.memory_gate import MemoryWorld


def test_a_gate_that_can_decide_is_ready(world: MemoryWorld) -> None:
    answer = measure_readiness(world.gate)
    assert answer.ready
    assert [dependency.name for dependency in answer.dependencies] == [
        "database",
        "log",
        "index",
        "embedder",
        "blobs",
        "policy",
    ]


def test_each_that_is_not_ready_is_named_with_its_reason(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> None:
        raise UnavailableError("no", code="index_down")

    monkeypatch.setattr(world.gate.indexer, "measure", down)
    shutil.rmtree(world.workspace.blobs.folder)
    answer = measure_readiness(world.gate)
    reasons = {dependency.name: dependency.reason for dependency in answer.dependencies if not dependency.ready}
    assert reasons == {"index": "index_down", "blobs": "blobs_missing"}
    problem = readiness_problem(answer)
    assert (problem["status"], problem["detail"]) == (503, "index: index_down; blobs: blobs_missing")
