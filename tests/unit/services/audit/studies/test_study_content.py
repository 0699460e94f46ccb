"""A line of a study: what is counted once, what is an interval, and which models have a part in it."""

from typing import Any

import pytest

from services.audit.studies.size_comparison import SizeComparison
from services.audit.studies.study_content import build_size


def point(slice_root: str, copies: int, control_hits: int) -> dict[str, Any]:
    return {
        "size": 4,
        "updates_per_image": 8.0,
        "generations": 100,
        "copies": copies,
        "rate": copies / 100,
        "control_hits": control_hits,
        "control_size": 50,
        "distinct_items": 1,
        "quality": 0.5,
        "quality_floor": 0.25,
        "data_copying": -2.0,
        "updates": 10,
        "kept": [],
        "sweep": [[0.35, copies / 100, 0.0], [0.4, 0.0, 0.0]],
        "rules": {"ssim": {"generations": 0.1, "control": 0.0, "sound": True}},
        "threshold": 0.5 if slice_root == "a" else 0.75,
        "manifest_root": slice_root,
    }


def compared(left_out: dict[str, Any]) -> SizeComparison:
    return SizeComparison(4, {}, {}, left_out, None)


def test_the_control_of_a_slice_is_counted_once_however_many_models_are_trained_on_it() -> None:
    points = [point("a", 10, 1), point("a", 30, 1), point("a", 20, 1), point("b", 0, 3)]
    found = build_size(points, compared({}))
    assert (found["control"]["hits"], found["control"]["trials"]) == (4, 100)
    assert (found["copies"]["hits"], found["copies"]["trials"]) == (60, 400)
    assert found["mean_rate"] == pytest.approx(found["copies"]["value"]) == 0.15
    assert found["copies"]["low"] < 0.15 < found["copies"]["high"]
    assert found["left_out"] is None
    assert found["thresholds"] == [0.5, 0.75]


def test_pictures_that_were_left_out_are_counted_with_each_slice() -> None:
    left_out = {"a": {"hits": 2, "trials": 10}, "b": {"hits": 3, "trials": 10}}
    found = build_size([point("a", 0, 0)], compared(left_out))
    assert (found["left_out"]["hits"], found["left_out"]["trials"]) == (5, 20)


def test_levels_of_the_sweep_stay_what_they_are() -> None:
    found = build_size([point("a", 10, 0), point("b", 30, 0), point("b", 20, 0)], compared({}))
    assert [level for level, *_ in found["sweep"]] == [0.35, 0.4]
    assert found["sweep"][0][1] == pytest.approx(0.2)
