"""The copycat control: training pictures with slight noise, sent through the pipeline as if the model had drawn them.

Rules, in order:

1. The views are made afresh from the items' bytes, not taken from the file that the comparison reads: a pipeline that
   confuses its views is found out.
2. Noise of one grey level: what rounding leaves. A rule that misses such copies is blind, and a threshold above them hides
   every copy there is.
3. All pictures of a small manifest, a seeded draw of a larger one.
"""

import numpy as np
from numpy.typing import NDArray

from services.audit.training_sets.sealed_set import SealedSet
from shared.vision.view_store import ViewStore
from shared.vision.views import Pixels, ViewRecipe

# Standard deviation of the noise, of 255.
NOISE_LEVELS = 1.0
# More would tell no more: of 256 copies a rule may miss two.
COPIES = 256
SEED = 0


def draw_copycats(store: ViewStore, training: SealedSet, recipe: ViewRecipe) -> tuple[Pixels, NDArray[np.int64]]:
    """Make copies of training pictures.

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
    views = np.stack([store.build_one(training.items[row].blob_sha256, recipe) for row in rows])
    noisy = np.rint(views + rng.normal(0, NOISE_LEVELS, views.shape))
    return np.clip(noisy, 0, 255).astype(np.uint8), rows
