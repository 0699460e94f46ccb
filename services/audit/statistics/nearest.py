"""Distances to the nearest training picture, a block at a time: a matrix of all pairs of 30,000 pictures is 7 GB."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

# Distances held at once: 256 × 50,000 float64 are 100 MB.
BLOCK_ROWS = 256

Features = NDArray[np.floating]


def find_nearest(
    pictures: NDArray[np.floating], training: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the nearest training picture of each picture, the first among equals.

    Args:
        pictures: shape (P, D).
        training: shape (N, D), at least one.

    Returns:
        Rows of the training set int64 (P,), and the distances to them float64 (P,).

    >>> find_nearest(np.array([[0.2]]), np.array([[1.0], [0.0]]))[0].tolist()
    [1]
    """
    return _find_nearest(pictures, training, skip_self=False)


def find_nearest_other(training: Features) -> NDArray[np.float64]:
    """Return the distance of each training picture to the nearest other one, float64 (N,); at least two are needed.

    >>> find_nearest_other(np.array([[0.0], [1.0], [1.5]])).tolist()
    [1.0, 0.5, 0.5]
    """
    return _find_nearest(training, training, skip_self=True)[1]


def _find_nearest(pictures: Features, training: Features, *, skip_self: bool) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rows = np.empty(len(pictures), dtype=np.int64)
    nearest = np.empty(len(pictures))
    for start in range(0, len(pictures), BLOCK_ROWS):
        distances = cdist(pictures[start : start + BLOCK_ROWS], training)
        if skip_self:
            at = np.arange(len(distances))
            distances[at, at + start] = np.inf
        rows[start : start + BLOCK_ROWS] = distances.argmin(axis=1)
        nearest[start : start + BLOCK_ROWS] = distances.min(axis=1)
    return rows, nearest
