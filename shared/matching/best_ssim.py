"""Best SSIM of each generation among many training views: the hot path of audit and gate.

Rules, in order:

1. SSIM is `shared.vision.similarity.ssim` with its uniform window: 7 × 7, sample covariance, peak 255, mean
   over channels. Scores agree with scikit-image within 1e-6.
2. Images are uint8, (C, H, W), C 1 or 3, sides 7..512 px, all of one size.
3. What depends on a view alone is computed once, in `SsimTerms`: 6 bytes a pixel and channel beside the
   pixels. Raw views are accepted too; the terms of those that are candidates are then made and dropped in
   blocks.
4. Candidates: row i lists the views for generation i; -1 is no candidate; None means every view. Rows may be
   longer than there are views and may repeat them.
5. Among equal scores the lowest view index wins. A generation without a candidate has index -1 and score NaN.
6. The search for the best leaves a pair as soon as it cannot reach the best so far; the result is the
   exhaustive one.
7. Threads spread the work over the cores; the compiled loops release the interpreter lock. Scores do not
   depend on it.

Source: Wang et al. 2004, equation 13 (see `shared.vision.similarity.compiled_ssim`).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.vision.similarity.compiled_ssim import fill_terms, score_pairs
from shared.vision.similarity.ssim import UNIFORM_SIDE_PX

# Canonical views are at most this large; int32 indices and sums are checked up to here.
LARGEST_SIDE_PX = 512
# Raw views whose terms are held at once: 280 MB at 64 × 64 × 3.
BLOCK_VIEWS = 4096
# Generations are dealt out in several parts a core, since rule 6 makes some of them much shorter than others.
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
        shape: (C, H, W).
    """

    pixels: Images
    sums: NDArray[np.int16]
    spreads: NDArray[np.float32]
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        """Return the number of views."""
        return len(self.pixels)


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
    _, height_px, width_px = shape
    pixels = _planes(views)
    positions = (height_px - UNIFORM_SIDE_PX + 1) * width_px
    sums = np.zeros((*pixels.shape[:2], positions), np.int16)
    spreads = np.zeros((*pixels.shape[:2], positions), np.float32)
    parts = _cuts(len(pixels), _cores())
    _in_threads(lambda start, stop: fill_terms(pixels, width_px, sums, spreads, start, stop), parts)
    return SsimTerms(pixels, sums, spreads, shape)


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
    chosen = _verified_candidates(generations, views, candidates)
    columns = _columns(len(generations), chosen.shape[1])
    scores = np.full((len(generations), chosen.shape[1]), np.nan)
    no_best = np.empty((len(generations), 0), np.int64)
    for terms, local, _ in _blocks(views, chosen):
        _score(generations, terms, local, columns, [(scores, no_best)] * len(columns))
    return np.clip(scores, -1.0, 1.0, out=scores)


def best_ssim(generations: Images, views: SsimTerms | Images, candidates: Indices | None = None) -> tuple[Numbers, Scores]:
    """Find each generation's best match among its candidates.

    Args:
        generations: uint8 (g, C, H, W).
        views: terms of n views, or the views, uint8 (n, C, H, W).
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
    chosen = _verified_candidates(generations, views, candidates)
    index = np.full(len(generations), -1, np.int64)
    score = np.full(len(generations), -np.inf)
    columns = _columns(len(generations), chosen.shape[1])
    for terms, local, numbers in _blocks(views, chosen):
        tables = [(score[:, None].copy(), np.full((len(score), 1), -1, np.int64)) for _ in columns]
        _score(generations, terms, local, columns, tables)
        for scores, best in tables:
            _keep_better(index, score, scores[:, 0], best[:, 0], numbers)
    return index, np.where(index < 0, np.nan, np.clip(score, -1.0, 1.0))


def _keep_better(index: Numbers, score: Scores, scores: Scores, best: Numbers, numbers: Numbers) -> None:
    """Take over into index and score what a part found better; `numbers` are the views of its block."""
    found = np.where(best < 0, -1, numbers[best])
    better = (best >= 0) & ((scores > score) | ((scores == score) & (found < index)))
    index[better] = found[better]
    score[better] = scores[better]


def _blocks(views: SsimTerms | Images, chosen: Numbers) -> Iterator[tuple[SsimTerms, Numbers, Numbers]]:
    """Yield terms, the candidates among them (others -1), and the view number of each; ascending."""
    if isinstance(views, SsimTerms):
        if len(views):
            yield views, chosen, np.arange(len(views))
        return
    used = np.unique(chosen[chosen >= 0])
    for start in range(0, len(used), BLOCK_VIEWS):
        numbers = used[start : start + BLOCK_VIEWS]
        # The extra last place stands for "no candidate".
        place = np.full(len(views) + 1, -1, np.int64)
        place[numbers] = np.arange(len(numbers))
        yield build_terms(views[numbers]), place[chosen], numbers


def _score(
    generations: Images,
    terms: SsimTerms,
    candidates: Numbers,
    columns: list[tuple[int, int]],
    tables: list[tuple[Scores, Numbers]],
) -> None:
    """Fill the table of each range of columns, in parts of the generations."""
    planes = _planes(generations)
    views = (terms.pixels, terms.sums, terms.spreads, terms.shape[2])
    rows = _cuts(len(generations), PARTS_PER_CORE * _cores())
    parts = [(*table, (*row, *column)) for column, table in zip(columns, tables, strict=True) for row in rows]
    _in_threads(lambda scores, best, part: score_pairs(planes, *views, candidates, scores, best, part), parts)


def _in_threads(work: Callable[..., None], parts: Sequence[tuple[Any, ...]]) -> None:
    if len(parts) <= 1 or _cores() == 1:
        for part in parts:
            work(*part)
        return
    with ThreadPoolExecutor(_cores()) as pool:
        for done in [pool.submit(work, *part) for part in parts]:
            done.result()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _columns(generations: int, candidates: int) -> list[tuple[int, int]]:
    # A few generations are not enough parts for all cores; their candidates are dealt out too.
    return _cuts(candidates, 1 if generations >= PARTS_PER_CORE * _cores() else _cores())


def _cuts(length: int, parts: int) -> list[tuple[int, int]]:
    """Cut 0..length into at most `parts` ranges of nearly equal size, none empty."""
    edges = np.linspace(0, length, min(parts, length) + 1).astype(int).tolist()
    return list(pairwise(edges))


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


def _verified_candidates(generations: Images, views: SsimTerms | Images, candidates: Indices | None) -> Numbers:
    shape = _verified_shape(generations, "generations")
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
