"""The positive control: training pictures with slight noise, sent through the pipeline as if the model had drawn them.

In files and in the log it is called `copycat`.

Rules, in order:

1. The views are built again from the items' bytes, not taken from the file that the comparison reads. This exposes a pipeline
   that confuses its views.
2. The noise is of one grey level, which is what rounding leaves. A rule that misses such copies is blind, and a threshold
   above them hides every copy there is.
3. All pictures of a small manifest are sent, and a seeded draw of a larger one.
"""

import numpy as np
from numpy.typing import NDArray

from services.audit.comparison.context import AuditContext
from services.audit.controls.calibration import CalibratedModel
from services.audit.controls.outcome import ControlOutcome, check_copies_are_found
from services.audit.models.trained_models import model_recipe
from services.audit.training_sets.sealed_set import SealedSet, open_view_store
from shared.matching.panel.panel import build_panel
from shared.vision.view_store import ViewStore
from shared.vision.views import Pixels, ViewRecipe

# Standard deviation of the noise, of 255.
NOISE_LEVELS = 1.0
# More would tell no more: of 256 copies a rule may miss two.
COPIES = 256
SEED = 0


def run_positive_control(context: AuditContext, calibrated: CalibratedModel) -> ControlOutcome:
    """Check that every rule finds the noisy training pictures."""
    recipe = model_recipe(calibrated.model.resolution_px, calibrated.model.channels)
    copies, copied_rows = draw_noisy_copies(open_view_store(context.workspace), calibrated.training, recipe)
    matched = context.match(calibrated.corpus, copies)
    rules = build_panel(calibrated.scores, context.rate, context.embedder.name)
    return ControlOutcome(
        "copycat",
        f"{len(copies)} training pictures with noise of {NOISE_LEVELS:g} of 255 levels",
        check_copies_are_found(calibrated.corpus, matched, copied_rows, rules),
    )


def draw_noisy_copies(store: ViewStore, training: SealedSet, recipe: ViewRecipe) -> tuple[Pixels, NDArray[np.int64]]:
    """Make noisy copies of training pictures.

    Args:
        store: builds views from the items' bytes.
        training: what they are copies of.
        recipe: of the views.

    Returns:
        uint8 (B, C, H, W), at most `COPIES`, and the row of the manifest that each copies, int64 (B,), ascending.

    Raises:
        CorruptStateError: an item's bytes are damaged.
        NotFoundError: an item's bytes are missing.
    """
    rng = np.random.default_rng(SEED)
    rows = np.sort(rng.permutation(training.manifest.size)[:COPIES]).astype(np.int64)
    views = np.stack([store.build_blob_view(training.items[row].blob_sha256, recipe) for row in rows])
    noisy = np.rint(views + rng.normal(0, NOISE_LEVELS, views.shape))
    return np.clip(noisy, 0, 255).astype(np.uint8), rows
