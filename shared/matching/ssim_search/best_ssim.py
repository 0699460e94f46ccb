"""The best SSIM of each generation among many training views: the hot path of audit and gate.

Rules, in order:

1. SSIM is `shared.vision.similarity.ssim` with its uniform window: 7 × 7, sample covariance, peak 255, mean over channels.
   Scores agree with scikit-image within 1e-6.
2. Images are uint8, (C, H, W), C 1 or 3, sides 7..512 px, all of one size.
3. What depends on a view alone is computed once, in `SsimTerms`: 6 bytes a pixel and channel beside the pixels. Raw views are
   accepted too: the terms of those that are candidates are made block by block and dropped again. `BoundedViews` hold only
   what bounds a score, 3 KB for 64 × 64 × 3; the search makes the terms of the views that it looks at. That suits few
   generations among many views.
4. Row i of the candidates lists the views for generation i. -1 is no candidate; None means every view. Rows may be longer than
   there are views, and may repeat them.
5. Among equal scores the lowest view index wins. A generation without a candidate has index -1 and score NaN.
6. The search takes the most promising views first and leaves out, in whole or in part, what cannot reach the best so far. The
   result is that of the exhaustive search.
7. Threads spread the work over the cores. Scores do not depend on their number.

Source: Wang et al. 2004, equation 13 (see `shared.vision.similarity.compiled_ssim`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.compute.threads import cut_evenly, in_threads, usable_cores
from shared.errors import InputError
from shared.vision.similarity.compiled_ssim import fill_terms, group_sizes, score_pairs
from shared.vision.similarity.ssim_constants import UNIFORM_SIDE_PX

# Canonical views are at most this large; int32 indices and sums are checked up to here.
LARGEST_SIDE_PX = 512
# Raw views whose terms are held at once: 280 MB at 64 × 64 × 3.
BLOCK_VIEWS = 4096
# Each core gets several parts of the generations, since rule 6 makes some much shorter than others.
PARTS_PER_CORE = 4

Images = NDArray[np.uint8]
Indices = NDArray[np.integer[Any]]
Scores = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class SsimTerms:
    """What SSIM needs of n views, each alone. Rows keep the image's width; their last 6 positions are unused.

    Attributes:
        pixels: uint8 (n, C, H·W).
        sums: int16 (n, C, (H - 6)·W), sum of each window.
        spreads: float32 (n, C, (H - 6)·W), 49 · 48 times each window's sample variance.
        means: float32 (n, 4, groups), means over groups of windows, from which the search bounds a score.
        shape: (C, H, W).
    """

    pixels: Images
    sums: NDArray[np.int16]
    spreads: NDArray[np.float32]
    means: NDArray[np.float32]
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.pixels)


@dataclass(frozen=True)
class BoundedViews:
    """Views with the means that bound their scores, for the search for the best.

    Attributes:
        views: uint8 (n, C, H, W); may be memory-mapped.
        means: float32 (n, 4, groups), as `build_means` makes them; may be memory-mapped.
    """

    views: Images
    means: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.views)


def means_shape(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return the shape of the means of one view (C, H, W).

    >>> means_shape((3, 64, 64))
    (4, 192)
    """
    channels, height_px, width_px = shape
    return 4, len(group_sizes(channels, height_px - UNIFORM_SIDE_PX + 1, width_px - UNIFORM_SIDE_PX + 1))


def build_means(views: Images) -> NDArray[np.float32]:
    """Compute the means that bound the scores of views, float32 (n, 4, groups).

    Args:
        views: as for `build_terms`, which holds more than three times their size while it works.

    Raises:
        InputError: as `build_terms`.
    """
    return build_terms(views).means


def build_terms(views: Images) -> SsimTerms:
    """Compute what SSIM needs of each view alone.

    Args:
        views: uint8 (n, C, H, W), C 1 or 3, sides 7..512 px.

    Returns:
        The terms; `pixels` shares memory with contiguous views.

    Raises:
        InputError: another dtype or shape, or a side outside 7..512 px.

    >>> build_terms(np.full((2, 1, 8, 8), 9, np.uint8)).sums.max().item()
    441
    """
    shape = _verified_shape(views, "views")
    channels, height_px, width_px = shape
    pixels = _planes(views)
    rows, columns = height_px - UNIFORM_SIDE_PX + 1, width_px - UNIFORM_SIDE_PX + 1
    positions = rows * width_px
    sums = np.zeros((*pixels.shape[:2], positions), np.int16)
    spreads = np.zeros((*pixels.shape[:2], positions), np.float32)
    means = np.zeros((len(pixels), 4, len(group_sizes(channels, rows, columns))), np.float32)
    parts = cut_evenly(len(pixels), usable_cores())
    in_threads(lambda start, stop: fill_terms(pixels, width_px, sums, spreads, means, start, stop), parts)
    return SsimTerms(pixels, sums, spreads, means, shape)


def pairwise_ssim(generations: Images, views: SsimTerms | Images, candidates: Indices | None = None) -> Scores:
    """Score every generation against each of its candidates.

    Args:
        generations: uint8 (g, C, H, W).
        views: terms of n views, or the views, uint8 (n, C, H, W).
        candidates: int (g, k), view indices 0..n-1 or -1 for none; None for all n views in order.

    Returns:
        float64 (g, k), range -1..1; NaN where there is no candidate.

    Raises:
        InputError: images or candidates are not as above, or sizes differ.

    >>> pair = np.zeros((2, 1, 8, 8), np.uint8)
    >>> pairwise_ssim(pair, pair, np.array([[0, -1], [1, 0]])).round(3).tolist()
    [[1.0, nan], [1.0, 1.0]]
    """
    rows = verified_candidates(generations, views, candidates)
    columns = _columns(len(generations), rows.shape[1])
    scores = np.full((len(generations), rows.shape[1]), np.nan)
    no_best = np.empty((len(generations), 0), np.int64)
    for terms, local, _ in _blocks(views, rows):
        _score(generations, terms, local, columns, [(scores, no_best)] * len(columns))
    return np.clip(scores, -1.0, 1.0, out=scores)


def best_ssim(
    generations: Images, views: SsimTerms | BoundedViews | Images, candidates: Indices | None = None
) -> tuple[Numbers, Scores]:
    """Find each generation's best match among its candidates.

    Args:
        generations: uint8 (g, C, H, W).
        views: terms of n views, views with their bounds, or raw views, uint8 (n, C, H, W).
        candidates: int (g, k), view indices 0..n-1 or -1 for none; None for all n views.

    Returns:
        View index int64 (g,), the lowest among equals, -1 for none; score float64 (g,), -1..1, NaN for none.

    Raises:
        InputError: images or candidates are not as above, or sizes differ.

    >>> views = np.stack([np.zeros((1, 8, 8), np.uint8), np.full((1, 8, 8), 200, np.uint8)])
    >>> index, score = best_ssim(views[1:], views)
    >>> index.tolist(), score.round(3).tolist()
    ([1], [1.0])
    """
    index, score, _ = search_best(generations, views, candidates)
    return index, score


def search_best(
    generations: Images, views: SsimTerms | BoundedViews | Images, candidates: Indices | None = None
) -> tuple[Numbers, Scores, int]:
    """Search as `best_ssim` does, and count the pairs that were looked at.

    Args:
        generations: as for `best_ssim`.
        views: likewise.
        candidates: likewise.

    Returns:
        Index and score as `best_ssim` gives them, and the number of pairs of which any window was scored.

    Raises:
        InputError: as `best_ssim`.
    """
    rows = verified_candidates(generations, views, candidates)
    index = np.full(len(generations), -1, np.int64)
    score = np.full(len(generations), -np.inf)
    examined = 0
    columns = _columns(len(generations), rows.shape[1])
    for terms, local, numbers in _blocks(views, rows):
        tables = [(score[:, None].copy(), np.full((len(score), 1), -1, np.int64)) for _ in columns]
        examined += _score(generations, terms, local, columns, tables)
        for scores, best in tables:
            _keep_better(index, score, scores[:, 0], best[:, 0], numbers)
    return index, np.where(index < 0, np.nan, np.clip(score, -1.0, 1.0)), examined


def _keep_better(index: Numbers, score: Scores, scores: Scores, best: Numbers, numbers: Numbers) -> None:
    """Write the better matches of one part into index and score; `numbers` are the views of its block."""
    views = np.where(best < 0, -1, numbers[best])
    better = (best >= 0) & ((scores > score) | ((scores == score) & (views < index)))
    index[better] = views[better]
    score[better] = scores[better]


def _blocks(views: SsimTerms | BoundedViews | Images, rows: Numbers) -> Iterator[tuple[SsimTerms, Numbers, Numbers]]:
    """Yield terms, the candidates among them (others -1), and the view number of each; ascending."""
    if isinstance(views, BoundedViews):
        channels, height_px, width_px = views.views.shape[1:]
        none = np.empty((0, channels, (height_px - UNIFORM_SIDE_PX + 1) * width_px))
        lazy = SsimTerms(
            _planes(views.views), none.astype(np.int16), none.astype(np.float32), views.means, (channels, height_px, width_px)
        )
        yield lazy, rows, np.arange(len(views))
        return
    if isinstance(views, SsimTerms):
        if len(views):
            yield views, rows, np.arange(len(views))
        return
    used = np.unique(rows[rows >= 0])
    for start in range(0, len(used), BLOCK_VIEWS):
        numbers = used[start : start + BLOCK_VIEWS]
        # The extra last place stands for "no candidate".
        place = np.full(len(views) + 1, -1, np.int64)
        place[numbers] = np.arange(len(numbers))
        yield build_terms(views[numbers]), place[rows], numbers


def _score(
    generations: Images,
    terms: SsimTerms,
    candidates: Numbers,
    columns: list[tuple[int, int]],
    tables: list[tuple[Scores, Numbers]],
) -> int:
    """Fill the table of each range of columns, in parts of the generations; return how many pairs were looked at."""
    planes = _planes(generations)
    views = (terms.pixels, terms.sums, terms.spreads, terms.means)
    width_px = terms.shape[2]
    rows = cut_evenly(len(generations), PARTS_PER_CORE * usable_cores())
    parts = [(*table, (*row, *column)) for column, table in zip(columns, tables, strict=True) for row in rows]

    def work(scores: Scores, best: Numbers, part: tuple[int, int, int, int]) -> int:
        return score_pairs(planes, views, width_px, candidates, scores, best, part)

    return sum(in_threads(work, parts))


def _columns(generations: int, candidates: int) -> list[tuple[int, int]]:
    # A few generations are not enough parts for all cores; their candidates are dealt out too.
    return cut_evenly(candidates, 1 if generations >= PARTS_PER_CORE * usable_cores() else usable_cores())


def _planes(images: Images) -> Images:
    count, channels, height_px, width_px = images.shape
    return np.ascontiguousarray(images).reshape(count, channels, height_px * width_px)


def _verified_shape(images: Images, name: str) -> tuple[int, int, int]:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in {1, 3}:
        raise InputError(
            f"{name}: expected uint8 (n, 1 or 3, H, W), got {images.dtype} {images.shape}", code="bad_image_shape"
        )
    _, channels, height_px, width_px = images.shape
    if not UNIFORM_SIDE_PX <= min(height_px, width_px) <= max(height_px, width_px) <= LARGEST_SIDE_PX:
        raise InputError(
            f"{name}: expected sides of {UNIFORM_SIDE_PX}..{LARGEST_SIDE_PX} px, got {height_px} × {width_px} px",
            code="bad_image_size",
        )
    return channels, height_px, width_px


def verified_candidates(generations: Images, views: SsimTerms | BoundedViews | Images, candidates: Indices | None) -> Numbers:
    """Check the arguments of a search and return its candidates.

    Args:
        generations: as for `best_ssim`.
        views: likewise.
        candidates: likewise.

    Returns:
        int64 (g, k), or (1, n) where every view is a candidate.

    Raises:
        InputError: images or candidates are not as stated there, or sizes differ.
    """
    shape = _verified_shape(generations, "generations")
    if isinstance(views, BoundedViews):
        expected = _verified_shape(views.views, "views")
    else:
        expected = views.shape if isinstance(views, SsimTerms) else _verified_shape(views, "views")
    if shape != expected:
        raise InputError(f"generations: expected (C, H, W) {expected} as the views have, got {shape}", code="unequal_shapes")
    if candidates is None:
        return np.arange(len(views), dtype=np.int64)[None]
    if candidates.ndim != 2 or len(candidates) != len(generations) or candidates.dtype.kind not in "iu":
        raise InputError(
            f"candidates: expected integers ({len(generations)}, k), got {candidates.dtype} {candidates.shape}",
            code="bad_candidates",
        )
    if candidates.size and not -1 <= candidates.min() <= candidates.max() < len(views):
        raise InputError(
            f"candidates: expected -1..{len(views) - 1}, got {candidates.min()}..{candidates.max()}",
            code="bad_candidates",
        )
    return np.ascontiguousarray(candidates, dtype=np.int64)
