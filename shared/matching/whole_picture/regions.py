"""The regions of pictures that are described: of items to be found by, of generations to look with.

Rules, in order:

1. A region is left, top, right, bottom, as shares of width and height, 0..1, from the upper left corner.
2. Item and generation each have the whole frame first, and overlapping regions of smaller sides: a copy that shows a part, or
   is a part of what is shown, has a region that is mostly it.
3. Each set is its own mirror image. So regions of a mirrored generation need no set of their own.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def build_regions(*grids: tuple[int, float]) -> Floats:
    """Build the whole frame and grids of overlapping regions.

    Args:
        grids: how many regions stand along each side, and which share of a side each takes.

    Returns:
        float64 (r, 4), rule 1.

    >>> build_regions((2, 0.6))[1:3].round(2).tolist()
    [[0.0, 0.0, 0.6, 0.6], [0.4, 0.0, 1.0, 0.6]]
    """
    regions = [(0.0, 0.0, 1.0, 1.0)]
    for count, side in grids:
        starts = np.linspace(0, 1 - side, count)
        regions += [(left, top, left + side, top + side) for top in starts for left in starts]
    return np.array(regions)


# docs/adr/0029 has what fewer and more of them find.
ITEM_REGIONS = build_regions((3, 0.5))
GENERATION_REGIONS = build_regions((2, 0.66), (3, 0.5), (4, 0.36))
