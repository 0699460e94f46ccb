"""What a model needs to be checked against, and what is answered while it lacks something."""

from typing import Any

import pytest
from sqlmodel import select

from services.output_gate.checks.service import check_generation
from services.output_gate.corpora import NotReadyError
from shared.matching.calibration.null_distribution import ControlScores
from shared.records.models import Calibration
from tests.support.factories import png
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


def test_a_calibration_of_before_a_rule_decides_by_the_others_and_not_by_it(world: MemoryWorld) -> None:
    with world.workspace.writing() as session:
        calibration = session.exec(select(Calibration)).one()
        calibration.scores = {rule: scores for rule, scores in calibration.scores.items() if rule != "ssim-turned"}
        calibration.sha256 = ControlScores(
            {rule: tuple(scores) for rule, scores in calibration.scores.items()}, calibration.pipeline
        ).sha256
        session.add(calibration)
    ready = world.gate.load_ready_model(world.model)
    assert "ssim-turned" not in {rule.name for rule in ready.panel}
    result = check_generation(world.gate, world.model.name, png(2))
    assert result.decision == "flag"
    world.adopt(version=2, rule="ssim-turned")
    with pytest.raises(NotReadyError) as caught:
        world.gate.under_policy_in_force().load_ready_model(world.model)
    assert caught.value.code == "rule_not_calibrated"


def test_without_a_calibration_there_is_nothing_to_decide_by(world: MemoryWorld) -> None:
    with world.workspace.writing() as session:
        session.delete(session.exec(select(Calibration)).one())
    with pytest.raises(NotReadyError) as caught:
        world.gate.load_ready_model(world.model)
    assert caught.value.code == "not_calibrated"
