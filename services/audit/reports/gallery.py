"""The gallery of a report: generation | match | difference, with the item, its owner and its receipt.

One row for each distinct item copied: its best generation. Where more items were copied than a page holds, the rows shown are
the most similar ones, and the report says how many are not shown.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from services.audit.training_sets.sealed_set import open_view_store
from shared.records.item_owners import load_owners
from shared.records.items import Item, ItemOwner, load_item
from shared.records.parties import Party
from shared.vision.views import Pixels, ViewRecipe, view_to_image
from shared.workspace import Workspace

ROWS_A_MODEL = 12
# Shown enlarged by whole factors with hard pixels, so that nothing is smoothed into likeness.
SHOWN_SIDE_PX = 120


@dataclass(frozen=True)
class GalleryRow:
    """One copied item with its best generation."""

    generation: str
    match: str
    difference: str
    seed: int
    metrics: dict[str, Any]
    p_value: float
    item: Item
    owners: tuple[tuple[ItemOwner, Party], ...]
    receipt: str
    generations_of_item: int


def build_gallery(workspace: Workspace, content: dict[str, Any], samples: Pixels) -> list[GalleryRow]:
    """Build the rows of one audit, most similar first.

    Args:
        workspace: where items, blobs and log are.
        content: content of `audit.json`.
        samples: uint8, shape (G, C, H, W): the generations of the audit.
    """
    copies = sorted((row for row in content["generations"] if row["copy"]), key=lambda row: -row["metrics"]["ssim"])
    best: dict[str, dict[str, Any]] = {}
    for copy in copies:
        best.setdefault(copy["item"], copy)
    return [_build_row(workspace, content, samples, copy, copies) for copy in list(best.values())[:ROWS_A_MODEL]]


def _build_row(
    workspace: Workspace,
    content: dict[str, Any],
    samples: Pixels,
    copy: dict[str, Any],
    copies: Sequence[dict[str, Any]],
) -> GalleryRow:
    with workspace.reading() as session:
        item = load_item(session, copy["item"])
        owners = load_owners(session, [item.id])[item.id]
    store = open_view_store(workspace)
    recipe = ViewRecipe(resolution_px=content["model"]["resolution_px"], channels=content["model"]["channels"])
    match, generation = store.build_blob_view(item.blob_sha256, recipe), samples[copy["index"]]
    difference = np.abs(match.astype(np.int16) - generation).astype(np.uint8)
    return GalleryRow(
        generation=picture_uri(view_to_image(generation)),
        match=picture_uri(view_to_image(match)),
        difference=picture_uri(view_to_image(255 - difference)),
        seed=copy["seed"],
        metrics=copy["metrics"],
        p_value=copy["p_value"],
        item=item,
        owners=tuple(owners),
        receipt=workspace.log.receipt(item.entry_id),
        generations_of_item=sum(other["item"] == item.id for other in copies),
    )


def picture_uri(picture: Image.Image) -> str:
    """Encode a picture as a data URI, enlarged by a whole factor."""
    factor = max(1, SHOWN_SIDE_PX // max(picture.size))
    enlarged = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    encoded = io.BytesIO()
    enlarged.save(encoded, format="PNG", optimize=True)
    return text_uri(encoded.getvalue(), "image/png")


def text_uri(data: bytes, media_type: str) -> str:
    """Encode bytes as a data URI, so that a page carries them itself."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
