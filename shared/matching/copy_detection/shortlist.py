"""The candidates of each generation: items whose indexed views are nearest to it, as it is or mirrored.

Rules, in order:

1. A generation is looked up twice: as it is, and mirrored.
2. Of the points found, an item counts once for each of the two, with its nearest view. That view says where alignment starts.
3. The nearest `CANDIDATES` remain, nearest first. Of equals the one with the lower number comes first, the unmirrored before
   the mirrored.
4. Any index may find the points (`merge_points`); `search_points` compares with all of them (`shared.index.coded_scan`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.index.coded_scan import ScannedRows

# Pairs that are aligned for a generation. The right item is among the first 20 for 97 % of the copies that are hardest to
# find, crops that lost a quarter of each side, and among 40 for 99 % (docs/methods/quality.md), at twice the time.
CANDIDATES = 20
# Points asked of an index for each of the two: with six views an item, enough that 20 items come together.
POINTS = 80

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Shortlist:
    """Candidates of g generations, (g, k) each; item -1 is none.

    Attributes:
        items: int64, item numbers.
        mirrored: bool, the generation shows the item mirrored.
        views: int64, number of the indexed view that was nearest.
        cosines: float64, -1..1.
    """

    items: Numbers
    mirrored: NDArray[np.bool_]
    views: Numbers
    cosines: NDArray[np.float64]

    def rows(self, rows: slice) -> "Shortlist":
        """Keep some generations."""
        return Shortlist(self.items[rows], self.mirrored[rows], self.views[rows], self.cosines[rows])

    def narrow(self, width: int) -> "Shortlist":
        """Keep the nearest candidates of each generation."""
        return Shortlist(self.items[:, :width], self.mirrored[:, :width], self.views[:, :width], self.cosines[:, :width])


def search_points(descriptors: Floats, mirrored: Floats, points: ScannedRows, item_count: int) -> Shortlist:
    """Find candidates by comparing with every point.

    Args:
        descriptors: (g, d), of the generations.
        mirrored: (g, d), of the mirrored generations.
        points: (v · n, d), of n items, one indexed view after the other.
        item_count: n.

    Returns:
        The shortlist, k = `CANDIDATES` or fewer.
    """
    # Both in one call: the points are read once.
    both = np.stack([descriptors, mirrored], axis=1)
    flat_numbers, flat_cosines = points.nearest(both.reshape(-1, both.shape[-1]), POINTS)
    width = flat_numbers.shape[1]
    numbers, cosines = flat_numbers.reshape(len(both), 2, width), flat_cosines.reshape(len(both), 2, width)
    return merge_points(numbers % item_count, numbers // item_count, cosines)


def merge_points(items: Numbers, views: Numbers, cosines: Floats) -> Shortlist:
    """Merge what an index found for each generation and for its mirror image (rules 2 and 3).

    Args:
        items: int64 (g, 2, m), item number of each point found; -1 for none.
        views: int64 (g, 2, m), its indexed view.
        cosines: (g, 2, m).

    Returns:
        The shortlist.

    >>> found = merge_points(np.array([[[7, 7], [3, 7]]]), np.array([[[0, 1], [2, 0]]]), np.array([[[0.9, 0.8], [0.95, 0.1]]]))
    >>> found.items[0].tolist(), found.mirrored[0].tolist(), found.views[0].tolist()
    ([3, 7, 7], [True, False, True], [2, 0, 0])
    """
    count, width = len(items), min(CANDIDATES, 2 * items.shape[2])
    merged = Shortlist(
        items=np.full((count, width), -1),
        mirrored=np.zeros((count, width), bool),
        views=np.zeros((count, width), np.int64),
        cosines=np.full((count, width), -1.0),
    )
    for row in range(count):
        flat_items, flat_cosines = items[row].ravel(), cosines[row].ravel()
        side = np.repeat([0, 1], items.shape[2])
        order = np.lexsort((side, flat_items, -flat_cosines))
        order = order[flat_items[order] >= 0]
        _, first = np.unique(flat_items[order] * 2 + side[order], return_index=True)
        order = order[np.sort(first)][:width]
        merged.items[row, : len(order)] = flat_items[order]
        merged.mirrored[row, : len(order)] = side[order] == 1
        merged.views[row, : len(order)] = views[row].ravel()[order]
        merged.cosines[row, : len(order)] = flat_cosines[order]
    return merged.narrow(int((merged.items >= 0).sum(axis=1).max(initial=1)))
