"""Calibrations on record: found again, with unsound rules that only a pass at the same rate or a smaller one lifts."""

import pytest
from sqlmodel import Session

from services.audit.controls.calibration import CalibratedModel, calibrate_model, record_calibration
from services.audit.controls.outcome import ControlCheck, ControlOutcome
from services.audit.models.recorded_models import record_model
from shared.workspace import Workspace
from tests.unit.services.audit.tiny_slices import RECIPE, build_slice


@pytest.fixture
def calibrated(workspace: Workspace) -> CalibratedModel:
    tiny = build_slice(workspace)
    with workspace.writing() as session:
        record_model(
            session,
            tiny.training,
            name="model-a",
            origin="trained",
            weights_sha256="11" * 32,
            config_sha256="22" * 32,
            config={},
            resolution_px=RECIPE.resolution_px,
            channels=RECIPE.channels,
            updates=1,
        )
    model = calibrate_model(tiny.context, "model-a")
    assert model.scores.sha256 == tiny.calibration.scores.sha256
    assert model.folder == workspace.home / "models" / "model-a"
    return model


def outcome(*, passed: bool | None) -> list[ControlOutcome]:
    return [ControlOutcome("copycat", "noisy copies", (ControlCheck("ssim", "expected", "got", passed, "", {}),))]


def record(session: Session, calibrated: CalibratedModel, rate: float, *, passed: bool | None) -> dict[str, float]:
    return dict(record_calibration(session, calibrated, outcome(passed=passed), rate).unsound_rules)


def test_a_failure_is_lifted_by_a_pass_at_the_same_rate_or_a_smaller_one(
    workspace: Workspace, calibrated: CalibratedModel
) -> None:
    with workspace.writing() as session:
        assert record(session, calibrated, 0.05, passed=False) == {"ssim": 0.05}
        assert record(session, calibrated, 0.1, passed=False) == {"ssim": 0.05}
        assert record(session, calibrated, 0.1, passed=True) == {"ssim": 0.05}
        assert record(session, calibrated, 0.01, passed=None) == {"ssim": 0.05}
        assert record(session, calibrated, 0.05, passed=True) == {}


def test_the_same_calibration_is_recorded_once(workspace: Workspace, calibrated: CalibratedModel) -> None:
    with workspace.writing() as session:
        first = record_calibration(session, calibrated, outcome(passed=True), 0.05)
        second = record_calibration(session, calibrated, outcome(passed=True), 0.05)
        assert first.id == second.id
        assert sorted(first.scores) == ["fused", "ssim", "ssim-turned", "works"]
