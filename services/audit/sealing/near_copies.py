"""Near copies between a control and a training set: found before hours are spent, and listed in a file.

Rules, in order:

1. A control picture is a near copy where hash and SSIM say so, as for duplicates within a training set, or by an SSIM that no
   two different pictures have.
2. The check before a training compares each control picture with its nearest training pictures by their pixels. It takes
   seconds. The audit compares by the workspace's embedder, and may find a few more.
3. The file has a line for each near copy, with both keys, so that either can be looked up.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.audit.comparison.matching import embed_views
from services.audit.training_sets.sealed_set import load_sealed_set, load_views
from shared.files import save_atomically
from shared.index.exact_neighbours import exact_neighbours
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.matching.training_set.duplicates import NEAR_SSIM
from shared.matching.training_set.view_hashes import ViewHashes, hash_views
from shared.records.items import Item
from shared.vision.embedders.pixels import PixelEmbedder
from shared.vision.perceptual_hash import MATCH_DISTANCE, measure_distances
from shared.vision.views import ViewRecipe
from shared.workspace import Workspace

# A hash says little of flat or small views. Where SSIM is as near 1 as noise of one grey level leaves it, hashes are not used.
SAME_SSIM = 0.99
# Of each control picture, for the check before a training.
NEIGHBOURS = 100
NEAR_COPIES_FILE = "near-copies.csv"
COLUMNS = ("control_item", "control_key", "training_item", "training_key", "ssim", "hash_distance")


@dataclass(frozen=True)
class NearCopies:
    """The near copies of a control.

    Attributes:
        control: pictures in the control.
        rows: a line for each near copy, by `COLUMNS`; the distance of the hashes is empty where one says nothing.
    """

    control: int
    rows: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        """Return how many pictures of the control are near copies."""
        return len(self.rows)

    def save(self, path: Path) -> None:
        """Write the lines as CSV, whole or not at all."""
        save_rows(path, COLUMNS, self.rows)


def save_rows(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write lines under their columns' names as CSV, whole or not at all."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows((columns, *rows))
    save_atomically(path, text.getvalue().encode())


def find_near_copies(ssim: NDArray[np.float64], hashes: ViewHashes, matched: ViewHashes) -> NDArray[np.bool_]:
    """Say which pictures are near copies of what they match.

    Args:
        ssim: float64 (B,), of each picture with its match.
        hashes: of the pictures.
        matched: of their matches.
    """
    clear = hashes.defined & matched.defined
    return np.asarray((ssim >= NEAR_SSIM) & ((clear & (_distances(hashes, matched) <= MATCH_DISTANCE)) | (ssim >= SAME_SSIM)))


def list_near_copies(
    control: Sequence[Item], matches: Sequence[Item], ssim: NDArray[np.float64], hashes: ViewHashes, matched: ViewHashes
) -> NearCopies:
    """List the near copies of a control.

    Args:
        control: its items.
        matches: for each, the training item that it is most similar to.
        ssim: float64 (B,), of each pair.
        hashes: of the control's views.
        matched: of the matches' views.
    """
    clear, distances = hashes.defined & matched.defined, _distances(hashes, matched)
    rows = tuple(
        (
            control[at].id,
            control[at].source_key,
            matches[at].id,
            matches[at].source_key,
            f"{ssim[at]:.6f}",
            str(distances[at]) if clear[at] else "",
        )
        for at in np.flatnonzero(find_near_copies(ssim, hashes, matched)).tolist()
    )
    return NearCopies(len(control), rows)


def check_near_copies(workspace: Workspace, manifest: str, control: str, recipe: ViewRecipe) -> tuple[NearCopies, Path]:
    """Look for near copies of a training set in a control, before a model is trained or sampled.

    Args:
        workspace: where both are.
        manifest: name or id of the training manifest.
        control: name or id of the control.
        recipe: of the views that the model is trained on.

    Returns:
        The near copies, and the file that lists them, written where there are any.

    Raises:
        NotFoundError: no such manifest.
    """
    training, held_out = load_sealed_set(workspace, manifest), load_sealed_set(workspace, control)
    trained, kept_out = (load_views(workspace, sealed, recipe) for sealed in (training, held_out))
    embedder = PixelEmbedder(16)
    shortlists, _ = exact_neighbours(embed_views(kept_out, embedder), embed_views(trained, embedder), NEIGHBOURS)
    best, ssim = best_ssim(kept_out, trained, shortlists)
    matches = [training.items[row] for row in best]
    near = list_near_copies(held_out.items, matches, ssim, hash_views(kept_out), hash_views(trained[best]))
    path = workspace.home / "near-copies" / f"{training.manifest.name}--{held_out.manifest.name}.csv"
    if near:
        near.save(path)
    return near, path


def _distances(hashes: ViewHashes, matched: ViewHashes) -> NDArray[np.int64]:
    pairs = zip(hashes.packed, matched.packed, strict=True)
    return np.array([measure_distances(first[None], second[None]).item() for first, second in pairs], dtype=np.int64)
