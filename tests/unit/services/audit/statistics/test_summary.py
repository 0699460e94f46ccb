"""All statistics of an audit: of copies they say so, and what cannot be computed is stated with its reason."""

from services.audit.comparison.compare import compare
from services.audit.statistics.summary import build_statistics
from shared.workspace import Workspace
from tests.unit.services.audit.tiny_slices import SLICE, build_slice


def test_copies_of_every_picture_are_told_by_every_statistic(workspace: Workspace) -> None:
    tiny = build_slice(workspace)
    generations = tiny.context.match(tiny.calibration.corpus, tiny.noisy_copies())
    comparison = compare(tiny.calibration, generations, 0.05)
    statistics = build_statistics(tiny.calibration, generations, comparison, tiny.context.embedder, 4.0)
    assert statistics["shortlist_recall"]["value"] == 1
    assert statistics["authentic"]["hits"] == 0
    assert statistics["quality"]["pictures"] == SLICE
    assert {kind["kind"] for kind in statistics["kinds"].values()} == {"overfitting"}
    assert {kind["updates_per_image"] for kind in statistics["kinds"].values()} == {4.0}
    assert statistics["sweep"][0]["generations"]["hits"] == SLICE


def test_too_few_generations_leave_a_reason(workspace: Workspace) -> None:
    tiny = build_slice(workspace)
    generations = tiny.context.match(tiny.calibration.corpus, tiny.noisy_copies()[:1])
    comparison = compare(tiny.calibration, generations, 0.05)
    statistics = build_statistics(tiny.calibration, generations, comparison, tiny.context.embedder, None)
    assert "expected" in statistics["quality"]["undefined"]
    assert statistics["data_copying"]["statistic"] is None
