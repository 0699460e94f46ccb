"""Squared distances between generations and their shortlists, tile by tile: what every l2 rule is computed from.

Rules, in order:

1. A view is cut into a grid of 4 × 4 tiles whose sides differ by at most one pixel (Carlini et al. 2023 cut 512-px images
   into 16 tiles of 128 px).
2. Sums are exact integers; they become root mean squares on the scale 0..1 only at the end, so no order of adding matters.
3. The distance of the whole images is the sum over their tiles: one pass serves both.

Source: Carlini et al. 2023, "Extracting Training Data from Diffusion Models", sections 4.2 and 5.1.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.vision.views import Pixels

# Carlini et al. 2023, section 4.2: 16 tiles.
GRID = 4
PEAK = 255.0


@dataclass(frozen=True)
class TileDistances:
    """Root mean square differences of B generations to K candidates each, scale 0..1.

    Attributes:
        whole: float64 (B, K), over the whole image.
        worst_tile: float64 (B, K), over the tile that differs most.
    """

    whole: NDArray[np.float64]
    worst_tile: NDArray[np.float64]


def tile_distances(generations: Pixels, training: Pixels, candidates: NDArray[np.int64]) -> TileDistances:
    """Measure generations against their candidates.

    Args:
        generations: uint8 (B, C, H, W).
        training: uint8 (N, C, H, W), sides at least 4 px.
        candidates: int64 (B, K), rows of `training`.

    Raises:
        InputError: views of different shapes, sides below 4 px, or a candidate outside `training`.

    >>> black, white = np.zeros((1, 1, 8, 8), np.uint8), np.full((1, 1, 8, 8), 255, np.uint8)
    >>> tile_distances(black, white, np.array([[0]])).whole.tolist()
    [[1.0]]
    """
    shape = training.shape[1:]
    if generations.shape[1:] != shape or min(shape[1:]) < GRID or len(candidates) != len(generations):
        raise InputError(
            f"expected views of one shape, sides of {GRID} px or more, got {generations.shape} and {training.shape}"
        )
    if candidates.size and not 0 <= candidates.min() <= candidates.max() < len(training):
        raise InputError(f"candidates: expected 0 to {len(training) - 1}, got {candidates.min()} to {candidates.max()}")
    channels, height, width = shape
    rows, columns = _tile_of(height), _tile_of(width)
    sums = _sum_tiles(np.ascontiguousarray(generations), training, np.ascontiguousarray(candidates), rows, columns)
    sizes = channels * np.outer(np.bincount(rows, minlength=GRID), np.bincount(columns, minlength=GRID)).ravel()
    whole = np.sqrt(sums.sum(axis=2) / sizes.sum()) / PEAK
    worst = np.sqrt((sums / sizes).max(axis=2)) / PEAK
    return TileDistances(whole, worst)


def _tile_of(side_px: int) -> NDArray[np.int64]:
    """Return for each pixel of a side which tile it is in."""
    return np.arange(side_px, dtype=np.int64) * GRID // side_px


@numba.njit(cache=True, nogil=True, parallel=False)
def _sum_tiles(
    generations: Pixels,
    training: Pixels,
    candidates: NDArray[np.int64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.int64]:
    count, length = candidates.shape
    channels, height, width = training.shape[1:]
    sums = np.zeros((count, length, GRID * GRID), dtype=np.int64)
    for at in range(count):
        for rank in range(length):
            other = candidates[at, rank]
            for channel in range(channels):
                for y in range(height):
                    base = rows[y] * GRID
                    for x in range(width):
                        gap = np.int64(generations[at, channel, y, x]) - np.int64(training[other, channel, y, x])
                        sums[at, rank, base + columns[x]] += gap * gap
    return sums
