"""The best SSIM of each generation among many training views: the hot path of audit and gate.

Rules, in order:

1. SSIM is `shared.vision.similarity.ssim` with its uniform window: 7 × 7, sample covariance, peak 255, mean over channels.
   Scores agree with scikit-image within 1e-6.
2. Images and candidates are as in `ssim_terms`. Raw views are accepted beside terms: the terms of those that are candidates
   are made block by block and dropped again.
3. Among equal scores the lowest view index wins. A generation without a candidate has index -1 and score NaN.
4. The search takes the most promising views first and leaves out, in whole or in part, what cannot reach the best so far. The
   result is that of the exhaustive search.
5. Threads spread the work over the cores. Scores do not depend on their number.

Source: Wang et al. 2004, equation 13 (see `shared.vision.similarity.compiled_ssim`).
"""

from collections.abc import Iterator

import numpy as np

from shared.compute.threads import cut_evenly, in_threads, usable_cores
from shared.matching.ssim_search.ssim_terms import (
    BoundedViews,
    Images,
    Indices,
    Numbers,
    Scores,
    SsimTerms,
    as_planes,
    build_terms,
    verified_candidates,
)
from shared.vision.similarity.compiled_ssim import score_pairs
from shared.vision.similarity.ssim_constants import UNIFORM_SIDE_PX

# Raw views whose terms are held at once: 280 MB at 64 × 64 × 3.
BLOCK_VIEWS = 4096
# Each core gets several parts of the generations, since rule 4 makes some much shorter than others.
PARTS_PER_CORE = 4


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
    generations: Images,
    views: SsimTerms | BoundedViews | Images,
    candidates: Indices | None = None,
    found: tuple[Numbers, Scores] | None = None,
) -> tuple[Numbers, Scores, int]:
    """Search as `best_ssim` does, and count the pairs that were looked at.

    Args:
        generations: as for `best_ssim`.
        views: likewise.
        candidates: likewise.
        found: index and score of a match that each has already, as returned; it stays where nothing is better.

    Returns:
        Index and score as `best_ssim` gives them, and the number of pairs of which any window was scored.

    Raises:
        InputError: as `best_ssim`.
    """
    rows = verified_candidates(generations, views, candidates)
    if found is None:
        index, score = np.full(len(generations), -1, np.int64), np.full(len(generations), -np.inf)
    else:
        index, score = found[0].copy(), np.where(found[0] < 0, -np.inf, found[1])
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
            as_planes(views.views),
            none.astype(np.int16),
            none.astype(np.float32),
            views.means,
            (channels, height_px, width_px),
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
    planes = as_planes(generations)
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
