"""A slice of one or more data sets and the rest as its control, drawn and sealed.

Rules, in order:

1. Items that share bytes with an earlier one are left out. Where distinct pictures are asked for, so are near copies
   (`distinct`), before the draw: of both slice and control, so that no control picture is all but a training picture. A file
   lists them, each with the picture that stays.
2. Both manifests are sealed in one transaction, each with its entry in the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.audit.sealing.distinct import NearCopy, find_distinct
from services.audit.sealing.left_out import left_out_path
from services.audit.sealing.near_copies import save_rows
from services.audit.training_sets.sealed_set import open_view_store
from services.audit.training_sets.slices import draw_from, load_drawable_items
from shared.records.items import Item
from shared.records.manifests import Manifest, seal_manifest
from shared.vision.embedding import open_embedder
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace

COLUMNS = ("left_out_item", "left_out_key", "kept_item", "kept_key", "ssim")


@dataclass(frozen=True)
class SealedSlice:
    """What was sealed.

    Attributes:
        manifests: the slice, and its control where one was asked for.
        near_copies: pictures that were left out because they are alike to one that stays; None where none were looked for.
        near_copies_path: the file that lists them; None where none were looked for.
    """

    manifests: tuple[Manifest, ...]
    near_copies: int | None
    near_copies_path: Path | None


def seal_slice(
    workspace: Workspace,
    name: str,
    datasets: Sequence[str],
    size: int,
    *,
    seed: int = 0,
    control: str | None = None,
    distinct: ViewRecipe | None = None,
    neighbours: int = 1000,
) -> SealedSlice:
    """Draw a slice and seal it, and what is left over as its control.

    Args:
        workspace: where the data sets are.
        name: of the training manifest.
        datasets: names of the data sets to draw from, at least one.
        size: images in the slice, at least 1.
        seed: of the draw.
        control: name of the control; None seals none.
        distinct: views in which near copies are looked for and left out; None leaves them in.
        neighbours: how many of each picture's nearest are compared with it.

    Raises:
        NotFoundError: there is no such data set.
        InputError: fewer distinct images than asked for.
        ConflictError: a name stands for another set.
    """
    with workspace.reading() as session:
        items = load_drawable_items(session, datasets)
    near = () if distinct is None else _find_near_copies(workspace, items, distinct, neighbours)
    left_out = {near_copy.row for near_copy in near}
    drawable = [item for row, item in enumerate(items) if row not in left_out]
    drawn = draw_from(drawable, size, seed)
    with workspace.writing() as session:
        manifests = [seal_manifest(session, name, "train", drawn.training)]
        if control is not None:
            manifests.append(seal_manifest(session, control, "control", drawn.held_out))
    workspace.log.integrate()
    if distinct is None:
        return SealedSlice(tuple(manifests), None, None)
    path = left_out_path(workspace, name)
    save_rows(path, COLUMNS, [_describe(items, near_copy) for near_copy in near])
    return SealedSlice(tuple(manifests), len(near), path)


def _describe(items: Sequence[Item], near_copy: NearCopy) -> tuple[str, ...]:
    left_out, kept = items[near_copy.row], items[near_copy.kept_row]
    return (left_out.id, left_out.source_key, kept.id, kept.source_key, f"{near_copy.ssim:.6f}")


def _find_near_copies(
    workspace: Workspace, items: Sequence[Item], recipe: ViewRecipe, neighbours: int
) -> tuple[NearCopy, ...]:
    store = open_view_store(workspace)
    views = np.stack([store.build_blob_view(item.blob_sha256, recipe) for item in items])
    embedder = open_embedder(workspace.settings.embedder)
    return find_distinct([item.blob_sha256 for item in items], views, embedder, neighbours).near_copies
