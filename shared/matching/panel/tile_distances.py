"""Squared distances between generations and their shortlists, tile by tile: the basis of every l2 rule.

Rules, in order:

1. A view is cut into a grid of 4 × 4 tiles whose sides differ by at most one pixel. (Carlini et al. 2023 cut 512-px images
   into 16 tiles of 128 px.)
2. Sums are exact integers. They become root mean squares on the scale 0..1 only at the end, so no order of adding matters.
3. The distance of the whole images is the sum over their tiles: one pass serves both.

Source: Carlini et al. 2023, "Extracting Training Data from Diffusion Models", sections 4.2 and 5.1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.compute.compiling import compiled
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
    rows, columns = tile_edges(height), tile_edges(width)
    sums = _sum_tiles(np.ascontiguousarray(generations), training, np.ascontiguousarray(candidates), rows, columns)
    sizes = channels * np.outer(np.diff(rows), np.diff(columns)).ravel()
    whole = np.sqrt(sums.sum(axis=2) / sizes.sum()) / PEAK
    worst = np.sqrt((sums / sizes).max(axis=2)) / PEAK
    return TileDistances(whole, worst)


def tile_edges(side_px: int) -> NDArray[np.int64]:
    """Return where the tiles of a side begin and end: each pixel belongs to tile `pixel * GRID // side_px`."""
    return np.searchsorted(np.arange(side_px) * GRID // side_px, np.arange(GRID + 1)).astype(np.int64)


# Pixels a sum in int32: of one row of a tile, at most 128 · 255² = 8.3e6 for views of 512 px.
@compiled
def _sum_tiles(
    generations: Pixels,
    training: Pixels,
    candidates: NDArray[np.int64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.int64]:
    count, length = candidates.shape
    channels = training.shape[1]
    sums = np.zeros((count, length, GRID * GRID), dtype=np.int64)
    for row in range(count):
        at = np.uintp(row)
        for rank in range(length):
            other = np.uintp(candidates[row, rank])
            for plane in range(channels):
                channel = np.uintp(plane)
                for down in range(GRID):
                    for across in range(GRID):
                        total = np.int64(0)
                        for y in range(np.uintp(rows[down]), np.uintp(rows[down + 1])):
                            line = np.int32(0)
                            for x in range(np.uintp(columns[across]), np.uintp(columns[across + 1])):
                                gap = np.int32(generations[at, channel, y, x]) - np.int32(training[other, channel, y, x])
                                line += gap * gap
                            total += np.int64(line)
                        sums[row, rank, down * GRID + across] += total
    return sums
