"""The exact best SSIM over a whole manifest, and how often a shortlist holds it.

Rules, in order:

1. Every view of the manifest is a candidate. The result is that of scoring each of them, ties to the lowest view.
2. Views are not scored where the bound on their SSIM is below the best so far; docs/methods/exhaustive.md proves the bound.
   The result says how many were scored.
3. A shortlist holds the best where it holds a view of the best score: an equal copy under another number counts.

Source: SSIM as in `shared.vision.similarity.ssim`; Wilson 1927 for the interval.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.matching.calibration.rate_intervals import Rate, build_rate
from shared.matching.ssim_search.best_ssim import best_ssim, search_best
from shared.matching.ssim_search.ssim_terms import Images, Indices, Numbers, Scores, SsimTerms

# Two searches that end at one view give one and the same float; this admits only what rounding may part: float32 quotients
# of another order of windows.
EQUAL_WITHIN = 1e-9


@dataclass(frozen=True)
class ExhaustiveBest:
    """The best match of each of G generations among all N views.

    Attributes:
        index: int64 (G,), the lowest view of the best score.
        ssim: float64 (G,), -1..1.
        examined_pairs: pairs of which any window was scored.
        pairs: G · N.
    """

    index: Numbers
    ssim: Scores
    examined_pairs: int
    pairs: int

    @property
    def pruned_share(self) -> float:
        """Share of the pairs that their bounds ruled out unseen, 0..1."""
        return 1 - self.examined_pairs / self.pairs


def find_exhaustive_best(generations: Images, views: SsimTerms | Images) -> ExhaustiveBest:
    """Find each generation's best match among all views of a manifest.

    Args:
        generations: uint8 (G, C, H, W), at least one.
        views: terms of N views, or the views, uint8 (N, C, H, W), at least one; terms of raw views are made block by block.

    Returns:
        The best of each generation, and how many pairs it took.

    Raises:
        InputError: nothing to compare, sizes that differ, or images that `best_ssim` refuses.

    >>> views = np.stack([np.zeros((1, 8, 8), np.uint8), np.full((1, 8, 8), 200, np.uint8)])
    >>> best = find_exhaustive_best(views[1:], views)
    >>> best.index.tolist(), best.ssim.round(3).tolist(), best.pairs
    ([1], [1.0], 2)
    """
    if len(generations) == 0 or len(views) == 0:
        raise InputError(
            f"expected at least one generation and one view, got {len(generations)} and {len(views)}",
            code="nothing_to_compare",
        )
    index, score, examined = search_best(generations, views)
    return ExhaustiveBest(index, score, examined, len(generations) * len(views))


def shortlist_recall(
    generations: Images, views: SsimTerms | Images, shortlists: Indices, exhaustive: ExhaustiveBest | None = None
) -> Rate:
    """Measure in how many generations the shortlist holds the best of all views.

    Args:
        generations: uint8 (G, C, H, W), at least one.
        views: terms of N views, or the views, uint8 (N, C, H, W).
        shortlists: int (G, k), view indices 0..N-1, or -1 for none.
        exhaustive: the best of all views, where it is known already.

    Returns:
        Generations whose shortlist holds a view of the best score, of all generations, with Wilson's 95 % interval.

    Raises:
        InputError: nothing to compare, or what `best_ssim` refuses.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927.

    >>> views = np.stack([np.zeros((1, 8, 8), np.uint8), np.full((1, 8, 8), 200, np.uint8)])
    >>> shortlist_recall(views, views, np.array([[0], [0]])).hits
    1
    """
    best = exhaustive or find_exhaustive_best(generations, views)
    _, best_of_shortlist = best_ssim(generations, views, shortlists)
    is_held: NDArray[np.bool_] = best_of_shortlist >= best.ssim - EQUAL_WITHIN
    return build_rate(int(is_held.sum()), len(is_held))
