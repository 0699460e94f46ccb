"""The candidates of each generation: items whose indexed views are nearest to it, in any of its eight orientations.

Rules, in order:

1. As it is and mirrored, a generation is looked up among all indexed views of the items; the nearest `CANDIDATES` remain.
2. In the six other orientations it is looked up among the whole views alone; the nearest `TURNED_CANDIDATES` remain, behind
   the others. So what was never turned keeps the candidates that it would have without them.
3. Of the points found, an item counts once for each orientation, with its nearest view. That view says where alignment starts.
4. Nearest first. Of equals the one with the lower number comes first, then the lower orientation.
5. Any index may find the points (`merge_points`); `search_points` compares with all of them (`shared.index.coded_scan`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.index.coded_scan import ScannedRows
from shared.matching.copy_detection.orientations import ORIENTATIONS, UPRIGHT_ORIENTATIONS

# Pairs that are aligned for a generation. The right item is among the first 20 for 97 % of the copies that are hardest to
# find, crops that lost a quarter of each side, and among 40 for 99 % (docs/methods/quality.md), at twice the time.
CANDIDATES = 20
# Points asked of an index for each of the two: with six views an item, enough that 20 items come together.
POINTS = 80
# Further pairs that are aligned, of turned generations, and points asked for in each of their orientations
# (docs/methods/quality.md has the shares found).
TURNED_CANDIDATES = 6

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Shortlist:
    """Candidates of g generations, (g, k) each; item -1 is none.

    Attributes:
        items: int64, item numbers.
        orientations: int64, 0..7, in which the generation is read (`orientations`).
        views: int64, number of the indexed view that was nearest.
        cosines: float64, -1..1.
    """

    items: Numbers
    orientations: Numbers
    views: Numbers
    cosines: NDArray[np.float64]

    @property
    def mirrored(self) -> NDArray[np.bool_]:
        """Whether the generation shows the item mirrored, (g, k)."""
        return np.asarray(self.orientations & 1 == 1)

    def rows(self, rows: slice) -> "Shortlist":
        """Keep some generations."""
        return Shortlist(self.items[rows], self.orientations[rows], self.views[rows], self.cosines[rows])

    def narrow(self, width: int) -> "Shortlist":
        """Keep the nearest candidates of each generation."""
        return Shortlist(self.items[:, :width], self.orientations[:, :width], self.views[:, :width], self.cosines[:, :width])


def search_points(descriptors: Floats, points: ScannedRows, item_count: int) -> Shortlist:
    """Find candidates by comparing with every point.

    Args:
        descriptors: (g, o, d), of the generations in their first o orientations, 2 or 8.
        points: (v · n, d), of n items, one indexed view after the other.
        item_count: n.

    Returns:
        The shortlist, k = `CANDIDATES` and `TURNED_CANDIDATES` or fewer.
    """
    upright, turned = np.split(descriptors, [UPRIGHT_ORIENTATIONS], axis=1)
    # Several orientations in one call: the points are read once.
    numbers, cosines = _find_nearest(upright, points, POINTS)
    shortlist = merge_points(numbers % item_count, numbers // item_count, cosines)
    if turned.shape[1] == 0:
        return shortlist
    whole = ScannedRows(points.rows[:item_count], points.codes[:item_count], points.terms[:item_count])
    numbers, cosines = _find_nearest(turned, whole, TURNED_CANDIDATES)
    return _append(shortlist, merge_points(numbers, np.zeros_like(numbers), cosines, UPRIGHT_ORIENTATIONS, TURNED_CANDIDATES))


def _find_nearest(descriptors: Floats, points: ScannedRows, count: int) -> tuple[Numbers, Floats]:
    """Find the nearest points of each generation in each orientation, (g, o, count)."""
    numbers, cosines = points.nearest(descriptors.reshape(-1, descriptors.shape[-1]), count)
    shape = (*descriptors.shape[:2], numbers.shape[1])
    return numbers.reshape(shape), cosines.reshape(shape)


def _append(first: Shortlist, second: Shortlist) -> Shortlist:
    return Shortlist(
        np.concatenate([first.items, second.items], axis=1),
        np.concatenate([first.orientations, second.orientations], axis=1),
        np.concatenate([first.views, second.views], axis=1),
        np.concatenate([first.cosines, second.cosines], axis=1),
    )


def merge_points(
    items: Numbers, views: Numbers, cosines: Floats, first_orientation: int = 0, candidates: int = CANDIDATES
) -> Shortlist:
    """Merge what an index found for each generation in several orientations (rules 3 and 4).

    Args:
        items: int64 (g, o, m), item number of each point found; -1 for none.
        views: int64 (g, o, m), its indexed view.
        cosines: (g, o, m).
        first_orientation: the number of the first of the o orientations.
        candidates: how many remain.

    Returns:
        The shortlist.

    >>> found = merge_points(np.array([[[7, 7], [3, 7]]]), np.array([[[0, 1], [2, 0]]]), np.array([[[0.9, 0.8], [0.95, 0.1]]]))
    >>> found.items[0].tolist(), found.mirrored[0].tolist(), found.views[0].tolist()
    ([3, 7, 7], [True, False, True], [2, 0, 0])
    """
    count, sides, points = items.shape
    width = min(candidates, sides * points)
    merged = Shortlist(
        items=np.full((count, width), -1),
        orientations=np.zeros((count, width), np.int64),
        views=np.zeros((count, width), np.int64),
        cosines=np.full((count, width), -1.0),
    )
    side = np.repeat(np.arange(first_orientation, first_orientation + sides), points)
    for row in range(count):
        flat_items, flat_cosines = items[row].ravel(), cosines[row].ravel()
        order = np.lexsort((side, flat_items, -flat_cosines))
        order = order[flat_items[order] >= 0]
        _, first = np.unique(flat_items[order] * ORIENTATIONS + side[order], return_index=True)
        order = order[np.sort(first)][:width]
        merged.items[row, : len(order)] = flat_items[order]
        merged.orientations[row, : len(order)] = side[order]
        merged.views[row, : len(order)] = views[row].ravel()[order]
        merged.cosines[row, : len(order)] = flat_cosines[order]
    return merged.narrow(int((merged.items >= 0).sum(axis=1).max(initial=1)))
