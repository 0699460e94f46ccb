"""The descriptor: 256 numbers that say what is drawn where, nearly the same for a picture and a copy of it.

Rules, in order:

1. It has three parts: luma in 16 × 16 cells, freed of brightness and contrast; edges in 8 × 8 cells (strength and doubled
   direction); colour in 8 × 8 cells. Each part is scaled to one size, with a floor, so that noise in flat pictures is not
   blown up.
2. A linear map weighs directions by how much they tell pictures apart and how little copying moves them. It is found by linear
   discriminant analysis: one class a picture, its members the copies that `synthetic_copies` makes (Fisher 1936; Rao 1948).
3. Rows have length 1. The inner product is the similarity, and any vector index can search it.
4. The map ships in `weights/`; its digest names the descriptor. Nothing in it depends on a deployment.
5. A picture has the same descriptor in any company and with any number of threads: each is projected by itself, in float64. A
   matrix product would add up in an order that depends on how many pictures there are.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from shared.compute.compiling import compiled_approximately
from shared.errors import InputError
from shared.matching.copy_detection.indexed_views import verify_views
from shared.matching.copy_detection.luma import BLUE, GREEN, RED

SHIPPED = Path(__file__).parent / "weights" / "descriptor-1.safetensors"
# ITU-R BT.601 scale of the colour differences.
_BLUE_DIFFERENCE, _RED_DIFFERENCE = np.float32(0.564), np.float32(0.713)
# Floors of rule 1, of values 0..1: contrasts below are noise rather than drawing (5 of 255 levels; edges are roots).
_LUMA_FLOOR, _EDGE_FLOOR, _COLOUR_FLOOR = np.float32(0.02), np.float32(0.1), np.float32(0.05)
_BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16
# Length of the parts together: 16² + 3 · 8² + 2 · 8².
MEASUREMENTS = 256 + 192 + 128
# Views measured at a time: 50 MB of float32 planes.
_BATCH = 256

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


def measure_views(views: Pixels) -> Floats:
    """Measure what the descriptor is made of.

    Args:
        views: uint8 (n, 3, 64, 64).

    Returns:
        float32 (n, 576): luma, edges, colour.

    Raises:
        InputError: another dtype or shape.

    >>> measure_views(np.zeros((1, 3, 64, 64), np.uint8)).shape
    (1, 576)
    """
    verify_views(views)
    parts = [_measure(views[start : start + _BATCH]) for start in range(0, len(views), _BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, MEASUREMENTS), np.float32)


def _measure(views: Pixels) -> Floats:
    red, green, blue = (views[:, channel].astype(np.float32) / 255 for channel in range(3))
    luma: Floats = np.asarray(RED * red + GREEN * green + BLUE * blue, np.float32)
    smooth = _smooth(luma)
    cells = _cells(smooth, 4)
    cells -= cells.mean(axis=1, keepdims=True)
    differences = np.concatenate([_BLUE_DIFFERENCE * (blue - luma), _RED_DIFFERENCE * (red - luma)]).astype(np.float32)
    colour = _cells(differences, 8).reshape(2, len(views), -1).swapaxes(0, 1).reshape(len(views), -1)
    edges = _edges(smooth)
    return np.concatenate(
        [
            cells / np.sqrt(_mean_square(cells) + _LUMA_FLOOR**2),
            edges / np.sqrt(_mean_square(edges) + _EDGE_FLOOR**2),
            colour / (np.sqrt(_mean_square(colour)) + _COLOUR_FLOOR),
        ],
        axis=1,
    )


def _edges(smooth: Floats) -> Floats:
    """Strength and doubled direction of the luma's slope, in cells; roots, so that strong edges do not drown the rest."""
    slope_x, slope_y = np.zeros_like(smooth), np.zeros_like(smooth)
    slope_x[:, 1:-1, 1:-1] = (smooth[:, :, 2:] - smooth[:, :, :-2])[:, 1:-1]
    slope_y[:, 1:-1, 1:-1] = (smooth[:, 2:] - smooth[:, :-2])[:, :, 1:-1]
    strength = np.sqrt(slope_x**2 + slope_y**2 + np.float32(1e-8))
    along = (slope_x**2 - slope_y**2) / strength
    across = 2 * slope_x * slope_y / strength
    cells = np.concatenate([_cells(strength, 8), _cells(along, 8), _cells(across, 8)], axis=1)
    return np.asarray(np.sign(cells) * np.sqrt(np.abs(cells)))


def _smooth(planes: Floats) -> Floats:
    side = planes.shape[1]
    wide = np.pad(planes, [(0, 0), (2, 2), (2, 2)], mode="edge")
    across = sum(wide[:, :, tap : tap + side] * weight for tap, weight in enumerate(_BINOMIAL))
    both: Floats = sum(np.asarray(across)[:, tap : tap + side] * weight for tap, weight in enumerate(_BINOMIAL))
    return both


def _cells(planes: Floats, cell_px: int) -> Floats:
    count, side = len(planes), planes.shape[1] // cell_px
    means: Floats = planes.reshape(count, side, cell_px, side, cell_px).mean(axis=(2, 4)).reshape(count, -1)
    return means


def _mean_square(rows: Floats) -> Any:
    return np.mean(rows**2, axis=1, keepdims=True)


@compiled_approximately
def project_rows(rows: Floats, mean: Floats, projection: Floats, out: Floats) -> None:
    """Fill out, (n, d), with the unit vectors that a linear map makes of rows, (n, m), less a mean."""
    width, sums = np.uintp(projection.shape[1]), np.empty(projection.shape[1], np.float64)
    for row in range(len(rows)):
        sums[:] = 0
        for i in range(np.uintp(len(mean))):
            value = np.float64(rows[row, i]) - np.float64(mean[i])
            for j in range(width):
                sums[j] += value * np.float64(projection[i, j])
        square = 0.0
        for j in range(width):
            square += sums[j] * sums[j]
        # No picture measured so far lies on the mean; the floor keeps the division defined.
        length = max(math.sqrt(square), 1e-6)
        for j in range(width):
            out[row, j] = np.float32(sums[j] / length)


@dataclass(frozen=True)
class Descriptor:
    """The linear map from measurements to descriptors.

    Args:
        mean: float16 (576,), taken off the measurements.
        projection: float16 (576, d).
    """

    mean: NDArray[np.float16]
    projection: NDArray[np.float16]

    def __post_init__(self) -> None:
        """Refuse a map of another shape."""
        if self.mean.shape != (MEASUREMENTS,) or self.projection.ndim != 2 or len(self.projection) != MEASUREMENTS:
            raise InputError(
                f"expected a map of {MEASUREMENTS} measurements, got {self.mean.shape} and {self.projection.shape}",
                code="descriptor_bad",
            )

    @property
    def dimensions(self) -> int:
        """Length of a descriptor."""
        return int(self.projection.shape[1])

    @cached_property
    def sha256(self) -> str:
        """Digest of the map."""
        return hashlib.sha256(self.mean.tobytes() + self.projection.tobytes()).hexdigest()

    @cached_property
    def _map(self) -> tuple[Floats, Floats]:
        return self.mean.astype(np.float32), self.projection.astype(np.float32)

    def describe(self, views: Pixels) -> Floats:
        """Describe views.

        Args:
            views: uint8 (n, 3, 64, 64).

        Returns:
            float32 (n, dimensions), rows of length 1.

        Raises:
            InputError: another dtype or shape.
        """
        mean, projection = self._map
        rows = measure_views(views)
        unit = np.empty((len(rows), self.dimensions), np.float32)
        project_rows(rows, mean, projection, unit)
        return unit

    def save(self, path: Path) -> None:
        """Write the map as safetensors."""
        # safetensors writes memory as it lies: an array in another order would come back scrambled.
        save_file({"mean": np.ascontiguousarray(self.mean), "projection": np.ascontiguousarray(self.projection)}, path)


def load_descriptor(path: Path = SHIPPED) -> Descriptor:
    """Read a map, the shipped one by default.

    Raises:
        InputError: the file holds another map.
    """
    tensors = load_file(path)
    if set(tensors) != {"mean", "projection"}:
        raise InputError(f"expected mean and projection in {path.name}, got {sorted(tensors)}", code="descriptor_bad")
    return Descriptor(tensors["mean"], tensors["projection"])
