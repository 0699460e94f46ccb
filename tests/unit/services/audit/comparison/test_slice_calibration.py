"""The calibration of a slice: the control's scores by the rules that need one, and a control that shares nothing."""

from dataclasses import replace

import pytest

from services.audit.comparison.slice_calibration import calibrate_slice
from shared.errors import InputError, NotFoundError
from shared.workspace import Workspace
from tests.unit.services.audit.tiny_slices import CONTROL, RECIPE, build_slice


def test_the_control_is_scored_by_the_rules_that_it_calibrates(workspace: Workspace) -> None:
    tiny = build_slice(workspace)
    scores = tiny.calibration.scores
    assert sorted(scores.by_rule) == ["fused", "ssim", "ssim-turned", "works"]
    assert all(len(values) == CONTROL for values in scores.by_rule.values())
    assert scores.pipeline["training_root"] == tiny.training.root
    assert scores.pipeline["neighbours"] == tiny.context.neighbours
    again = calibrate_slice(tiny.context, tiny.training.id, RECIPE)
    assert again.scores.sha256 == scores.sha256
    other = calibrate_slice(replace(tiny.context, neighbours=3), "slice", RECIPE)
    assert other.scores.sha256 != scores.sha256


def test_an_overlapping_control_and_an_unknown_manifest_are_refused(workspace: Workspace) -> None:
    tiny = build_slice(workspace)
    with pytest.raises(InputError) as refused:
        calibrate_slice(replace(tiny.context, control="slice"), "slice", RECIPE)
    assert refused.value.code == "control_overlaps"
    with pytest.raises(NotFoundError):
        calibrate_slice(tiny.context, "nothing", RECIPE)
