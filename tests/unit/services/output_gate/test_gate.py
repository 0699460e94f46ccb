"""What a model needs to be checked against, and what is answered while it lacks something."""

from typing import Any

import pytest
from sqlmodel import select

from services.output_gate.corpora import NotReadyError
from shared.records.models import Calibration
from tests.support.memory_gate import MemoryWorld


def test_a_model_is_ready_once_and_follows_the_policy_in_force(world: MemoryWorld) -> None:
    ready = world.gate.load_ready_model(world.model)
    assert world.gate.load_ready_model(world.model) is ready
    world.adopt(version=2, false_positive_rate=0.1)
    gate = world.gate.under_policy_in_force()
    assert gate is not world.gate
    assert gate.content.version == 2
    panels = ready.panel, gate.load_ready_model(world.model).panel
    stricter, looser = (next(rule for rule in panel if rule.name == "ssim") for panel in panels)
    assert stricter.threshold > looser.threshold


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"pipeline": {"neighbours": 7}}, "calibrated_otherwise"),
        ({"pipeline": {"embedder_sha256": "0" * 64}}, "calibrated_otherwise"),
        ({"sha256": "0" * 64}, "calibration_damaged"),
        ({"unsound_rules": {"ssim": 0.5}}, "control_failed"),
    ],
)
def test_a_calibration_that_does_not_hold_is_named(world: MemoryWorld, changed: dict[str, Any], code: str) -> None:
    with world.workspace.writing() as session:
        calibration = session.exec(select(Calibration)).one()
        if "pipeline" in changed:
            calibration.pipeline = calibration.pipeline | changed["pipeline"]
        else:
            calibration.sqlmodel_update(changed)
        session.add(calibration)
    with pytest.raises(NotReadyError) as caught:
        world.gate.load_ready_model(world.model)
    assert caught.value.code == code


def test_without_a_calibration_there_is_nothing_to_decide_by(world: MemoryWorld) -> None:
    with world.workspace.writing() as session:
        session.delete(session.exec(select(Calibration)).one())
    with pytest.raises(NotReadyError) as caught:
        world.gate.load_ready_model(world.model)
    assert caught.value.code == "not_calibrated"
