"""The held-out control: real images that were never trained on, sent through the pipeline that generations take.

Their best scores are the null distribution of a model. It is kept as the model's calibration, which the gate uses too.
"""

from dataclasses import dataclass
from typing import Any

from services.audit.comparison import Corpus, Matched, build_control_scores, match_against
from services.audit.models import model_recipe
from services.audit.training_set import SealedSet, build_corpus, load_sealed_set, load_views
from shared.errors import InputError
from shared.matching.null import ControlScores
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
    training: SealedSet
    control: SealedSet
    corpus: Corpus
    control_matched: Matched
    scores: ControlScores
    calibration: Calibration


def calibrate_model(
    workspace: Workspace, model_name: str, control_name: str, embedder: Embedder, neighbours: int
) -> CalibratedModel:
    """Measure a model's control and keep it as the model's calibration.

    Args:
        workspace: where model and manifests are.
        model_name: name or id of the model.
        control_name: name or id of a manifest that shares no image with the model's.
        embedder: makes the shortlists.
        neighbours: length of a shortlist.

    Raises:
        NotFoundError: no such model or manifest.
        InputError: the control shares images with the training set.
    """
    with workspace.reading() as session:
        model = load_model_record(session, model_name)
    recipe = model_recipe(model.resolution_px, model.channels)
    return calibrate_by(
        workspace, model, measure_slice(workspace, model.manifest_id, control_name, recipe, embedder, neighbours)
    )


def measure_slice(
    workspace: Workspace, manifest: str, control_name: str, recipe: ViewRecipe, embedder: Embedder, neighbours: int
) -> MeasuredSlice:
    """Send a control through the pipeline of a training set.

    Args:
        workspace: where the manifests are.
        manifest: name or id of the training manifest.
        control_name: name or id of a manifest that shares no image with it.
        recipe: of the views compared.
        embedder: makes the shortlists.
        neighbours: length of a shortlist.

    Raises:
        NotFoundError: no such manifest.
        InputError: the control shares images with the training set.
    """
    training, control = load_sealed_set(workspace, manifest), load_sealed_set(workspace, control_name)
    _check_disjoint(training, control)
    corpus = build_corpus(workspace, training, recipe, embedder)
    matched = match_against(corpus, load_views(workspace, control, recipe), embedder, neighbours)
    pipeline = build_pipeline(training, control, recipe, embedder, neighbours) | {"copies": corpus.detector.digests}
    return MeasuredSlice(training, control, corpus, matched, build_control_scores(matched, pipeline))


def calibrate_by(workspace: Workspace, model: Model, measured: MeasuredSlice) -> CalibratedModel:
    """Keep what a slice's control came to as the calibration of a model that was trained on the slice."""
    calibration = _keep(workspace, model, measured.control, measured.scores)
    return CalibratedModel(
        model,
        measured.training,
        measured.control,
        measured.corpus,
        measured.control_matched,
        measured.scores,
        calibration,
    )


def _check_disjoint(training: SealedSet, control: SealedSet) -> None:
    shared_blobs = set(training.blobs) & set(control.blobs)
    if shared_blobs:
        raise InputError(
            f"a control must share no image with the training set; {control.manifest.name!r} and "
            f"{training.manifest.name!r} share {len(shared_blobs)}",
            code="control_overlaps",
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


def _keep(workspace: Workspace, model: Model, control: SealedSet, scores: ControlScores) -> Calibration:
    with workspace.writing() as session:
        known = find_same_calibration(session, model.id, scores.sha256)
        if known is not None:
            return known
        calibration = Calibration(
            model_id=model.id,
            control_manifest_id=control.manifest.id,
            pipeline=dict(scores.pipeline),
            scores={rule: list(values) for rule, values in scores.by_rule.items()},
            sha256=scores.sha256,
        )
        session.add(calibration)
        session.flush()
        return calibration
