"""The views of an item that are indexed, so that a crop of it is found: the whole, four corners and the centre.

A generation is looked up twice, as it is and mirrored. That is cheaper than indexing every view twice. Turns of up to some ten
degrees need no view of their own: the descriptor bears them, and alignment finds the angle.
"""

import numpy as np
from numpy.typing import NDArray

from shared.compute.compiling import compiled_approximately
from shared.errors import InputError
from shared.matching.copy_detection.luma import SIDE_PX

Pixels = NDArray[np.uint8]

# Zoom and shift of each view, in px of the item. 0.82 stands between an uncropped copy and one that lost a quarter of
# each side; a shift of 5.76 px puts it into a corner. With them the right item is among the first 20 for 97 % of crops that
# lost a quarter of each side, without them for 76 % (docs/methods/quality.md).
_CORNER_ZOOM, _CORNER_SHIFT_PX, _CENTRE_ZOOM = 0.82, 5.76, 0.85
_CORNERS = [(_CORNER_ZOOM, x * _CORNER_SHIFT_PX, y * _CORNER_SHIFT_PX) for x in (-1, 1) for y in (-1, 1)]
INDEXED_VIEWS: tuple[tuple[float, float, float], ...] = ((1.0, 0.0, 0.0), *_CORNERS, (_CENTRE_ZOOM, 0.0, 0.0))
# The placements that they stand for: a, b, tx, ty, gain, offset.
STARTS = np.array([(zoom, 0.0, x, y, 1.0, 0.0) for zoom, x, y in INDEXED_VIEWS])


def build_indexed_views(views: Pixels) -> list[Pixels]:
    """Build the indexed views of items.

    Args:
        views: uint8 (n, 3, 64, 64).

    Returns:
        One array for each of `INDEXED_VIEWS`, uint8 (n, 3, 64, 64); the first is the input.

    Raises:
        InputError: another dtype or shape.

    >>> [one.shape for one in build_indexed_views(np.zeros((2, 3, 64, 64), np.uint8))] == [(2, 3, 64, 64)] * 6
    True
    """
    verify_views(views)
    return [views, *(warp_views(views, start) for start in STARTS[1:])]


def warp_views(views: Pixels, placement: NDArray[np.float64]) -> Pixels:
    """Show views as a placement sees them, bilinear, the border going on as it ends.

    Args:
        views: uint8 (n, 3, 64, 64).
        placement: a, b, tx, ty of `alignment`, rule 1, one for all (4 or more,) or one for each (n, 4 or more).

    Returns:
        uint8 (n, 3, 64, 64).
    """
    verify_views(views)
    placements = np.broadcast_to(placement[..., :4], (len(views), 4)).astype(np.float64)
    out = np.empty_like(views)
    _warp(np.ascontiguousarray(views), placements, out)
    return out


@compiled_approximately
def _warp(views: Pixels, placements: NDArray[np.float64], out: Pixels) -> None:
    side = views.shape[2]
    centre = (side - 1) / 2
    for i in range(len(views)):
        a, b, shift_x, shift_y = placements[i]
        for row in range(side):
            for column in range(side):
                x, y = column - centre, row - centre
                u = min(max(a * x - b * y + shift_x + centre, 0.0), side - 1.001)
                v = min(max(b * x + a * y + shift_y + centre, 0.0), side - 1.001)
                left, top = int(u), int(v)
                du, dv = u - left, v - top
                for channel in range(3):
                    plane = views[i, channel]
                    above = plane[top, left] * (1 - du) + plane[top, left + 1] * du
                    below = plane[top + 1, left] * (1 - du) + plane[top + 1, left + 1] * du
                    out[i, channel, row, column] = np.uint8(above * (1 - dv) + below * dv + 0.5)


def verify_views(views: Pixels) -> None:
    """Check that views are what this package compares.

    Raises:
        InputError: another dtype or shape than uint8 (n, 3, 64, 64).
    """
    if views.dtype != np.uint8 or views.ndim != 4 or views.shape[1:] != (3, SIDE_PX, SIDE_PX):
        raise InputError(
            f"expected views uint8 (n, 3, {SIDE_PX}, {SIDE_PX}), got {views.dtype} {views.shape}", code="bad_view_shape"
        )
