"""The eight orientations in which a generation is read: quarter turns, each as it is and mirrored.

Orientation number 2 · turns + mirrored: the generation is turned so many quarters against the clock, then mirrored left to
right, and what results is laid on the item. These are all symmetries of a square, so flips from top to bottom and about a
diagonal are among them.
"""

import numpy as np
from numpy.typing import NDArray

from shared.compute.compiling import compiled_approximately

ORIENTATIONS = 8
# Those without a turn: as it is, and mirrored.
UPRIGHT_ORIENTATIONS = 2

Pixels = NDArray[np.uint8]


def turn_views(views: Pixels, orientation: int) -> Pixels:
    """Read square views in one orientation.

    Args:
        views: uint8 (…, S, S).
        orientation: 0..7.

    Returns:
        A contiguous copy of the same shape; the views themselves, where nothing is turned.

    >>> view = np.array([[1, 2], [3, 4]], np.uint8)
    >>> [turn_views(view, orientation).tolist() for orientation in (1, 2, 5)]
    [[[2, 1], [4, 3]], [[2, 4], [1, 3]], [[3, 4], [1, 2]]]
    """
    if orientation == 0:
        return views
    turned = np.rot90(views, orientation >> 1, axes=(-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if orientation & 1 else turned)


def build_matrix(orientation: int) -> NDArray[np.float64]:
    """Return the map from a position of the view to the one where its orientation shows it, (2, 2), from the centre.

    >>> build_matrix(1).tolist(), build_matrix(2).tolist()
    ([[-1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [-1.0, 0.0]])
    """
    quarter, mirror = np.array([[0.0, 1.0], [-1.0, 0.0]]), np.array([[-1.0, 0.0], [0.0, 1.0]])
    turned = np.linalg.matrix_power(quarter, orientation >> 1)
    return np.asarray(mirror @ turned if orientation & 1 else turned)


@compiled_approximately
def find_source(orientation: int, side: int, y: int, x: int) -> tuple[int, int]:
    """Return the line and column of a square view that a position of its orientation is read from."""
    last, turns = side - 1, orientation >> 1
    across = last - x if orientation & 1 else x
    if turns == 0:
        return y, across
    if turns == 1:
        return across, last - y
    if turns == 2:
        return last - y, last - across
    return last - across, y
