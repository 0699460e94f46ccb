"""How high the pictures of a model score: exact copies of some of its training items, by the rule of a policy.

Rules, in order:

1. An exact copy has the highest SSIM that there is, whatever it shows.
2. The scores of an exact copy by `fused` and by `works` depend on what there is to see in it, and stay below the sum of all
   evidence at its best. So they are measured: the first items of the training set that can be read, each laid over itself as
   the gate does. The item is seen as it was registered, its copy at the model's resolution.
"""

import numpy as np
from PIL.Image import Image
from sqlmodel import Session

from services.output_gate.policy.policy import DecidingRule
from shared.errors import SleeveError
from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.copy_embedder import RECIPE as COPY_RECIPE
from shared.matching.panel.registry import load_rule
from shared.matching.whole_picture.detector import PictureDetector, best_works
from shared.matching.whole_picture.local_features import ComparisonSize
from shared.matching.whole_picture.memory_pictures import MemoryPictures
from shared.records.manifests import load_leaves
from shared.records.models import Model
from shared.vision.image_decoding import decode_image
from shared.vision.views import ViewRecipe, build_view, view_to_image
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
    if rule not in {"fused", "works"}:
        return load_rule(rule).score_range[1]
    recipe = ViewRecipe(resolution_px=model.resolution_px, channels=model.channels)
    items: list[Image] = []
    for leaf in load_leaves(session, model.manifest_id, limit=2 * COPIES):
        if len(items) < COPIES:
            items += _read(workspace, leaf.blob)
    if not items:
        return None
    copies = [view_to_image(build_view(item, recipe)).convert("RGB") for item in items]
    views = CopyDetector.build(np.stack([build_view(item, COPY_RECIPE) for item in items]))
    if rule == "fused":
        return float(views.detect(np.stack([build_view(copy, COPY_RECIPE) for copy in copies])).scores.max())
    pictures = MemoryPictures(items, ComparisonSize(workspace.settings.comparison_px))
    works = PictureDetector.of(pictures, views, pictures.regions)
    return float(best_works(works.detect_many(copies.__getitem__, np.zeros((len(copies), 0), np.int64))).scores.max())


def _read(workspace: Workspace, blob_sha256: str) -> list[Image]:
    """Return an item's picture, or nothing where its bytes are gone or cannot be decoded."""
    try:
        return [decode_image(workspace.blobs.load(blob_sha256), workspace.limits).pixels]
    except SleeveError:
        return []
