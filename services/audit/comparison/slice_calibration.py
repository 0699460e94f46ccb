"""The held-out control of a slice: real pictures that were never trained on, matched as generations are.

Their scores are the null distribution of every model that is trained on the slice and compared at the same view.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.comparison.context import AuditContext
from services.audit.comparison.matching import Corpus, LoadPicture, Matched, build_corpus
from services.audit.models.recorded_models import verify_disjoint
from services.audit.training_sets.sealed_set import SealedSet, load_sealed_set, load_views, open_view_store
from shared.matching.calibration.null_distribution import ControlScores
from shared.matching.copy_detection.orientations import ORIENTATIONS
from shared.matching.panel.panel import score_control
from shared.matching.whole_picture.local_features import show_as_generated
from shared.vision.view_store import TrainingBackground
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace


@dataclass(frozen=True)
class SliceCalibration:
    """A training set and a control, with the corpus, the matched control and its scores by the calibrated rules."""

    training: SealedSet
    control: SealedSet
    corpus: Corpus
    matched_control: Matched
    scores: ControlScores


def calibrate_slice(
    context: AuditContext, manifest: str, recipe: ViewRecipe, backgrounds: Sequence[TrainingBackground] = ()
) -> SliceCalibration:
    """Match the control with a training set.

    Args:
        context: of the audit.
        manifest: name or id of the training manifest.
        recipe: of the views compared.
        backgrounds: what training may have laid transparency over, beside white.

    Raises:
        NotFoundError: no such manifest.
        InputError: the control shares images with the training set.
    """
    workspace = context.workspace
    training, control = load_sealed_set(workspace, manifest), load_sealed_set(workspace, context.control)
    with workspace.reading() as session:
        verify_disjoint(session, training.manifest, control.manifest)
    corpus = build_corpus(workspace, training, recipe, context.embedder, backgrounds, context.comparison_size)
    matched_control = context.match(corpus, load_views(workspace, control, recipe), _load_wholes(workspace, control, recipe))
    # Everything that a score depends on.
    pipeline = {
        "view": recipe.model_dump(),
        "view_sha256": recipe.sha256,
        "embedder": context.embedder.name,
        "embedder_sha256": context.embedder.sha256,
        "neighbours": context.neighbours,
        "training_root": training.manifest.root,
        "control_root": control.manifest.root,
        "copies": corpus.detector.digests,
        "orientations": ORIENTATIONS,
    }
    if corpus.works is not None:
        pipeline["works"] = corpus.works.digests
    if backgrounds:
        pipeline["backgrounds"] = list(backgrounds)
    by_rule = score_control(matched_control.evidence, context.embedder.name)
    scores = ControlScores({rule: tuple(map(float, values)) for rule, values in by_rule.items()}, pipeline)
    return SliceCalibration(training, control, corpus, matched_control, scores)


def _load_wholes(workspace: Workspace, control: SealedSet, recipe: ViewRecipe) -> LoadPicture:
    """Return what loads the pictures of a control as the model might have put them out, but whole."""
    store = open_view_store(workspace)
    return lambda number: show_as_generated(store.load_picture(control.blobs[number], "white"), recipe)
