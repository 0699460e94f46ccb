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
class DistinctPictures:
    """The pictures that may be drawn.

    Attributes:
        rows: int64, rows of the pictures that stay, ascending.
        alike: int64, rows of those that were left out because their SSIM with one that stays is too high, ascending.
        clusters: how many clusters of duplicates there were.
        cluster_sizes: how many clusters have how many members.
    """

    rows: NDArray[np.int64]
    alike: NDArray[np.int64]
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
    rows = np.setdiff1d(np.arange(len(views)), clusters.exact[:, 1])
    stays = leave_out_alike(views[rows], embed_views(views[rows], embedder), neighbours)
    return DistinctPictures(rows[stays], rows[~stays], clusters.count, clusters.sizes())


def leave_out_alike(views: Pixels, vectors: NDArray[np.float32], neighbours: int) -> NDArray[np.bool_]:
    """Say which views stay when each is left out that is alike to an earlier one that stays.

    Args:
        views: uint8 (N, C, H, W), at least one.
        vectors: float32 (N, D), their embeddings.
        neighbours: how many of each view's nearest are compared with it.

    >>> views = np.random.default_rng(0).integers(0, 256, (2, 1, 8, 8), dtype=np.uint8)[[0, 1, 0]]
    >>> leave_out_alike(views, views.reshape(3, -1).astype(np.float32), 3).tolist()
    [True, True, False]
    """
    nearest, _ = exact_neighbours(vectors, vectors, neighbours + 1)
    terms, stays = build_terms(views), np.ones(len(views), bool)
    for start in range(0, len(views), BLOCK):
        candidates = nearest[start : start + BLOCK]
        alike = pairwise_ssim(views[start : start + BLOCK], terms, candidates) >= ALIKE_SSIM
        for at, (others, are_alike) in enumerate(zip(candidates, alike, strict=True), start):
            earlier = others[are_alike & (others < at)]
            stays[at] = not stays[earlier].any()
    return stays
