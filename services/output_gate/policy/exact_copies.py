"""How high the pictures of a model score: exact copies of some of its training items, by the rule of a policy.

Rules, in order:

1. An exact copy has the highest SSIM that there is, whatever it shows.
2. The fused score of an exact copy depends on what there is to see in it, and stays below the sum of all evidence at its best.
   So it is measured: the first items of the training set that can be read, each laid over itself as the gate does. The item
   is seen as it was registered, its copy at the model's resolution.
"""

import numpy as np
from sqlmodel import Session

from services.output_gate.policy.policy import DecidingRule
from shared.errors import SleeveError
from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.copy_embedder import RECIPE as COPY_RECIPE
from shared.matching.panel.registry import load_rule
from shared.records.manifests import load_leaves
from shared.records.models import Model
from shared.vision.image_decoding import decode_image
from shared.vision.views import Pixels, ViewRecipe, build_view, view_to_image
from shared.workspace import Workspace

# Items that are tried; as many again are looked at where some cannot be read.
COPIES = 8


def find_highest_score(workspace: Workspace, session: Session, model: Model, rule: DecidingRule) -> float | None:
    """Return the highest score of exact copies of a model's training items; None where none of them can be read.

    Args:
        workspace: holds the items' bytes.
        session: an open transaction.
        model: whose items.
        rule: of the policy.
    """
    if rule != "fused":
        return load_rule(rule).score_range[1]
    recipe = ViewRecipe(resolution_px=model.resolution_px, channels=model.channels)
    pairs: list[tuple[Pixels, Pixels]] = []
    for leaf in load_leaves(session, model.manifest_id, limit=2 * COPIES):
        if len(pairs) < COPIES:
            pairs += _read_views(workspace, leaf.blob, recipe)
    if not pairs:
        return None
    items, copies = (np.stack(views) for views in zip(*pairs, strict=True))
    return float(CopyDetector.build(items).detect(copies).scores.max())


def _read_views(workspace: Workspace, blob_sha256: str, recipe: ViewRecipe) -> list[tuple[Pixels, Pixels]]:
    """Return an item and its copy as the detector sees them, or nothing where its bytes are gone or cannot be decoded."""
    try:
        picture = decode_image(workspace.blobs.load(blob_sha256), workspace.limits).pixels
    except SleeveError:
        return []
    copy = view_to_image(build_view(picture, recipe)).convert("RGB")
    return [(build_view(picture, COPY_RECIPE), build_view(copy, COPY_RECIPE))]
