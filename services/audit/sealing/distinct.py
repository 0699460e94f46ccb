"""The pictures of a data set that a study may draw: no two are duplicates, or alike by the very measure of the study.

A control picture that is all but equal to a training picture would set a threshold that no copy exceeds, and would make every
model look innocent. Perceptual hashes miss some of these: they say nothing of flat and of very small pictures.

Leaving these out bounds the control's scores: no held-out picture is as similar to a training picture as `ALIKE_SSIM`. So the
false-positive rate holds for pictures like those that stay. How often the others exceed a threshold is measured beside it.

Rules, in order:

1. Of pictures of the same bytes or the same view the first stays.
2. Of the rest, a picture is left out where its SSIM with an earlier one that stays is `ALIKE_SSIM` or more. Near copies by
   perceptual hash are among these. Pairs are sought where an audit would find them: among each picture's nearest by embedding.
3. The order is the caller's, so that the same data set gives the same pictures.

Source: Somepalli et al. 2023 (arXiv:2305.20086) and Webster et al. 2023 (arXiv:2303.12733) for what duplicates do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.audit.comparison.matching import embed_views
from shared.index.exact_neighbours import exact_neighbours
from shared.matching.ssim_search.best_ssim import pairwise_ssim
from shared.matching.ssim_search.ssim_terms import build_terms
from shared.matching.training_set.duplicates import NEAR_SSIM, build_clusters
from shared.matching.training_set.view_hashes import hash_views
from shared.vision.embedding import Embedder
from shared.vision.views import Pixels

# As for near duplicates, here without the perceptual hash.
ALIKE_SSIM = NEAR_SSIM
# Pictures compared with their neighbours at once: 256 × 1,000 scores.
BLOCK = 256


@dataclass(frozen=True)
class NearCopy:
    """A picture that is left out, by its row; the row of one that stays, and their SSIM."""

    row: int
    kept_row: int
    ssim: float


@dataclass(frozen=True)
class DistinctPictures:
    """The pictures that may be drawn.

    Attributes:
        rows: int64, rows of the pictures that stay, ascending.
        alike: int64, rows of those that were left out because their SSIM with one that stays is too high, ascending.
        near_copies: those of `alike` and those that share their view with an earlier one, by row, each with one that stays.
        clusters: how many clusters of duplicates there were.
        cluster_sizes: how many clusters have how many members.
    """

    rows: NDArray[np.int64]
    alike: NDArray[np.int64]
    near_copies: tuple[NearCopy, ...]
    clusters: int
    cluster_sizes: dict[int, int]


def find_distinct(blob_sha256s: Sequence[str], views: Pixels, embedder: Embedder, neighbours: int) -> DistinctPictures:
    """Find the pictures that may be drawn.

    Args:
        blob_sha256s: digests of the pictures' bytes, at least one.
        views: uint8 (N, C, H, W), as the study compares them.
        embedder: of the study.
        neighbours: how many of each picture's nearest are compared with it.

    Raises:
        InputError: lengths that differ.
    """
    clusters = build_clusters(blob_sha256s, views, hash_views(views))
    # Each exact pair links a picture to the first like it.
    first = np.arange(len(views))
    np.minimum.at(first, clusters.exact[:, 1], clusters.exact[:, 0])
    rows = np.flatnonzero(first == np.arange(len(views)))
    kept, ssim = find_alike(views[rows], embed_views(views[rows], embedder), neighbours)
    stays = kept == np.arange(len(rows))
    at = np.searchsorted(rows, first)
    kept_rows, ssim = rows[kept][at], ssim[at]
    left_out = np.flatnonzero(kept_rows != np.arange(len(views))).tolist()
    near_copies = tuple(NearCopy(row, int(kept_rows[row]), float(ssim[row])) for row in left_out)
    return DistinctPictures(rows[stays], rows[~stays], near_copies, clusters.count, clusters.sizes())


def find_alike(views: Pixels, vectors: NDArray[np.float32], neighbours: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find for each view an earlier one that stays and is alike to it; a view without one stays.

    Args:
        views: uint8 (N, C, H, W), at least one.
        vectors: float32 (N, D), their embeddings.
        neighbours: how many of each view's nearest are compared with it.

    Returns:
        Rows int64 (N,): of the most similar earlier view that stays, or the view's own where it stays itself. Their SSIM,
        float64 (N,); 1 with itself.

    >>> views = np.random.default_rng(0).integers(0, 256, (2, 1, 8, 8), dtype=np.uint8)[[0, 1, 0]]
    >>> find_alike(views, views.reshape(3, -1).astype(np.float32), 3)[0].tolist()
    [0, 1, 0]
    """
    nearest, _ = exact_neighbours(vectors, vectors, neighbours + 1)
    terms, kept, best = build_terms(views), np.arange(len(views)), np.ones(len(views))
    for start in range(0, len(views), BLOCK):
        candidates = nearest[start : start + BLOCK]
        scores = pairwise_ssim(views[start : start + BLOCK], terms, candidates)
        for at, (others, ssim) in enumerate(zip(candidates, scores, strict=True), start):
            alike = (ssim >= ALIKE_SSIM) & (others < at) & (kept[others] == others)
            if alike.any():
                choice = np.argmax(np.where(alike, ssim, -1))
                kept[at], best[at] = others[choice], ssim[choice]
    return kept, best
