"""The calibration of a model: the scores of its held-out control, which the gate uses too.

Rules, in order:

1. A calibration is recorded in one transaction with the audit that tested it. The gate sees no other.
2. A rule that failed a control is recorded as unsound, with the rate at which it failed.
3. An audit lifts this where the rule passes every control at that rate or a smaller one. A pass at a larger rate does not lift
   it, since a lower threshold is easier to reach. A control that is undefined does not lift it either: it tried nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session

from services.audit.comparison.context import AuditContext
from services.audit.comparison.slice_calibration import SliceCalibration, calibrate_slice
from services.audit.controls.outcome import ControlOutcome, failed_checks, passed_rules
from services.audit.models.preprocessing import describe_preprocessing, list_further_backgrounds
from services.audit.models.trained_models import model_recipe
from shared.records.models import Calibration, Model, find_same_calibration, load_model_record
from shared.workspace import Workspace


@dataclass(frozen=True)
class CalibratedModel(SliceCalibration):
    """A model and its folder, with the calibration of the slice that it was trained on."""

    model: Model
    folder: Path


def calibrate_model(context: AuditContext, name: str) -> CalibratedModel:
    """Match the control with the training set of a model.

    Args:
        context: of the audit.
        name: name or id of the model.

    Raises:
        NotFoundError: no such model or manifest.
        InputError: the control shares images with the training set.
    """
    with context.workspace.reading() as session:
        model = load_model_record(session, name)
    recipe = model_recipe(model.resolution_px, model.channels)
    backgrounds = list_further_backgrounds(describe_preprocessing(model))
    return calibrate_with(context.workspace, model, calibrate_slice(context, model.manifest_id, recipe, backgrounds))


def calibrate_with(workspace: Workspace, model: Model, calibration: SliceCalibration) -> CalibratedModel:
    """Give a model the calibration of its slice, which all models of the slice share."""
    return CalibratedModel(**vars(calibration), model=model, folder=workspace.home / model.folder)


def record_calibration(
    session: Session, calibrated: CalibratedModel, controls: Sequence[ControlOutcome], rate: float
) -> Calibration:
    """Record the calibration of an audit, or find it recorded, with the rules that the controls proved unsound.

    Args:
        session: of the transaction that records the audit.
        calibrated: the model.
        controls: their outcomes.
        rate: at which they were checked.
    """
    failed, passed = {check.rule for _, check in failed_checks(controls)}, passed_rules(controls)
    calibration = find_same_calibration(session, calibrated.model.id, calibrated.scores.sha256) or Calibration(
        model_id=calibrated.model.id,
        control_manifest_id=calibrated.control.manifest.id,
        pipeline=dict(calibrated.scores.pipeline),
        scores={rule: list(values) for rule, values in calibrated.scores.by_rule.items()},
        sha256=calibrated.scores.sha256,
    )
    before = calibration.unsound_rules
    still_unsound = {rule: failed_at for rule, failed_at in before.items() if rule not in passed or failed_at < rate}
    calibration.unsound_rules = still_unsound | {rule: min(rate, before.get(rule, rate)) for rule in failed}
    session.add(calibration)
    session.flush()
    return calibration
