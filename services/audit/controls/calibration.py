"""The held-out control: real images that were never trained on, sent through the pipeline that generations take.

Rules, in order:

1. Their best scores are the null distribution of a model: its calibration, which the gate uses too.
2. A calibration is recorded with the audit that tested it, in one transaction; the gate never sees one that none has.
3. A rule that failed a control is recorded as unsound, with the rate at which it failed. An audit in which it passes every
   control at that rate or a smaller one lifts this; a pass at a laxer rate does not, since a lower threshold is easier to
   reach, and neither does a control that is undefined, since nothing was tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session

from services.audit.comparison.compare import Corpus, Match, Matched, build_control_scores, match_against
from services.audit.controls.outcome import ControlOutcome, failed_checks, passed_rules
from services.audit.models.recorded_models import verify_disjoint
from services.audit.models.trained_models import model_recipe
from services.audit.training_sets.sealed_set import SealedSet, build_corpus, load_sealed_set, load_views
from shared.matching.calibration.null_distribution import ControlScores
from shared.records.models import Calibration, Model, find_same_calibration, load_model_record
from shared.vision.embedding import Embedder
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace


@dataclass(frozen=True)
class MeasuredSlice:
    """A training set and a control, and what the control came to: the same for every model trained on it at one view."""

    training: SealedSet
    control: SealedSet
    corpus: Corpus
    control_matched: Matched
    scores: ControlScores


@dataclass(frozen=True)
class CalibratedModel:
    """A model with what it was trained on, its control, and what the control came to."""

    model: Model
    folder: Path
    training: SealedSet
    control: SealedSet
    corpus: Corpus
    control_matched: Matched
    scores: ControlScores


def calibrate_model(
    workspace: Workspace,
    model_name: str,
    control_name: str,
    embedder: Embedder,
    neighbours: int,
    match: Match = match_against,
) -> CalibratedModel:
    """Measure a model's control.

    Args:
        workspace: where model and manifests are.
        model_name: name or id of the model.
        control_name: name or id of a manifest that shares no image with the model's.
        embedder: makes the shortlists.
        neighbours: length of a shortlist.
        match: matches the control.

    Raises:
        NotFoundError: no such model or manifest.
        InputError: the control shares images with the training set.
    """
    with workspace.reading() as session:
        model = load_model_record(session, model_name)
    recipe = model_recipe(model.resolution_px, model.channels)
    return calibrate_by(
        workspace, model, measure_slice(workspace, model.manifest_id, control_name, recipe, embedder, neighbours, match)
    )


def measure_slice(
    workspace: Workspace,
    manifest: str,
    control_name: str,
    recipe: ViewRecipe,
    embedder: Embedder,
    neighbours: int,
    match: Match = match_against,
) -> MeasuredSlice:
    """Send a control through the pipeline of a training set.

    Args:
        workspace: where the manifests are.
        manifest: name or id of the training manifest.
        control_name: name or id of a manifest that shares no image with it.
        recipe: of the views compared.
        embedder: makes the shortlists.
        neighbours: length of a shortlist.
        match: matches the control.

    Raises:
        NotFoundError: no such manifest.
        InputError: the control shares images with the training set.
    """
    training, control = load_sealed_set(workspace, manifest), load_sealed_set(workspace, control_name)
    with workspace.reading() as session:
        verify_disjoint(session, training.manifest, control.manifest)
    corpus = build_corpus(workspace, training, recipe, embedder)
    matched = match(corpus, load_views(workspace, control, recipe), embedder, neighbours)
    pipeline = build_pipeline(training, control, recipe, embedder, neighbours) | {"copies": corpus.detector.digests}
    return MeasuredSlice(training, control, corpus, matched, build_control_scores(matched, pipeline))


def calibrate_by(workspace: Workspace, model: Model, measured: MeasuredSlice) -> CalibratedModel:
    """Put a model beside what the control of its slice came to; recorded with the audit (`record_calibration`)."""
    return CalibratedModel(
        model,
        workspace.home / model.folder,
        measured.training,
        measured.control,
        measured.corpus,
        measured.control_matched,
        measured.scores,
    )


def build_pipeline(
    training: SealedSet, control: SealedSet, recipe: ViewRecipe, embedder: Embedder, neighbours: int
) -> dict[str, Any]:
    """Name everything that a score depends on."""
    return {
        "view": recipe.model_dump(),
        "view_sha256": recipe.sha256,
        "embedder": embedder.name,
        "embedder_sha256": embedder.sha256,
        "neighbours": neighbours,
        "training_root": training.manifest.root,
        "control_root": control.manifest.root,
    }


def record_calibration(
    session: Session, calibrated: CalibratedModel, controls: Sequence[ControlOutcome], rate: float
) -> Calibration:
    """Record what an audit calibrated, or find it recorded, with the rules that its controls found unsound.

    Args:
        session: of the transaction that records the audit.
        calibrated: the model with what its control came to.
        controls: what they came to.
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
    kept = {rule: at for rule, at in calibration.unsound_rules.items() if rule not in passed or at < rate}
    calibration.unsound_rules = kept | {rule: min(rate, calibration.unsound_rules.get(rule, rate)) for rule in failed}
    session.add(calibration)
    session.flush()
    return calibration
