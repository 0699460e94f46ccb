"""All controls of one audit, through the pipeline and by the rules of that audit."""

from services.audit.comparison.compare import match_against
from services.audit.controls.calibration import CalibratedModel
from services.audit.controls.held_out import check_held_out
from services.audit.controls.optimum import draw_replays
from services.audit.controls.outcome import ControlCheck, ControlOutcome, check_copies_are_found
from services.audit.controls.positive_control import NOISE_LEVELS, draw_copycats
from services.audit.models.model_configuration import verify_configuration
from services.audit.models.trained_models import model_recipe
from services.audit.sampling.sample import SAMPLERS, Samples, build_sampling_scheduler
from services.audit.training.diffusion_model import load_model
from shared.matching.panel.panel import build_panel
from shared.vision.embedding import Embedder
from shared.vision.view_store import ViewStore
from shared.workspace import Workspace


def run_controls(
    workspace: Workspace, calibrated: CalibratedModel, samples: Samples, embedder: Embedder, rate: float
) -> list[ControlOutcome]:
    """Send every control through the pipeline and say what came out.

    Args:
        workspace: where the model and the items' bytes are.
        calibrated: the model with its training set and its held-out control.
        samples: the generations of the audit; the optimum is sampled as they were.
        embedder: makes the shortlists.
        rate: chosen false-positive rate.
    """
    return [
        _run_copycat(workspace, calibrated, embedder, rate),
        _run_optimum(calibrated, samples, embedder, rate),
        ControlOutcome(
            "held-out",
            f"{calibrated.control.manifest.size} real pictures that were never trained on",
            check_held_out(
                calibrated.corpus,
                calibrated.control_matched,
                [item.id for item in calibrated.control.items],
                calibrated.scores,
                rate,
            ),
        ),
    ]


def _run_copycat(workspace: Workspace, calibrated: CalibratedModel, embedder: Embedder, rate: float) -> ControlOutcome:
    recipe = model_recipe(calibrated.model.resolution_px, calibrated.model.channels)
    store = ViewStore(workspace.home / "views", workspace.blobs, workspace.limits)
    copies, rows = draw_copycats(store, calibrated.training, recipe)
    matched = match_against(calibrated.corpus, copies, embedder, calibrated.scores.pipeline["neighbours"])
    rules = build_panel(calibrated.scores, rate, embedder.name)
    return ControlOutcome(
        "copycat",
        f"{len(copies)} training pictures with noise of {NOISE_LEVELS:g} of 255 levels",
        check_copies_are_found(calibrated.corpus, matched, rows, rules),
    )


def _run_optimum(calibrated: CalibratedModel, samples: Samples, embedder: Embedder, rate: float) -> ControlOutcome:
    title = "samples of the exact optimum of the training loss, which can only replay the training pictures"
    sampler, steps = samples.settings["sampler"], samples.settings["steps"]
    if sampler not in SAMPLERS:
        return _undefined(title, f"the generations were not drawn by a sampler that is known here, but by {sampler!r}")
    verify_configuration(calibrated.model, calibrated.folder)
    _, trained_with = load_model(calibrated.folder)
    corpus = calibrated.corpus
    replays = draw_replays(corpus.side.views, build_sampling_scheduler(trained_with, sampler, steps))
    if 2 * len(replays.pictures) < replays.drawn:
        reason = f"in {steps} steps the optimum mixes pictures: only {len(replays.pictures)} of {replays.drawn} replay one"
        return _undefined(title, reason)
    matched = match_against(corpus, replays.pictures, embedder, calibrated.scores.pipeline["neighbours"])
    rules = build_panel(calibrated.scores, rate, embedder.name)
    checks = check_copies_are_found(corpus, matched, replays.copied, rules)
    return ControlOutcome("exact-optimum", f"{len(replays.pictures)} {title}, by {steps} steps of {sampler}", checks)


def _undefined(title: str, reason: str) -> ControlOutcome:
    return ControlOutcome(
        "exact-optimum", title, (ControlCheck("ssim", "its samples are found to be copies", "undefined", None, reason, {}),)
    )
