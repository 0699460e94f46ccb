"""The descriptor of regions: 256 numbers that say which local features a region of a picture has, wherever they lie in it.

Rules, in order:

1. A feature's 128 bytes go, as a unit vector, to 48 principal axes; there it belongs to the nearest of 32 centroids.
2. A region adds up, centroid by centroid, the directions from the centroid to its features, each times the feature's diameter.
   What is large survives blurring and shrinking. Each centroid's sum is brought to the root of its length, so that repeated
   texture does not drown the rest, and all together to length 1 (VLAD; Jégou et al. 2010, Arandjelović and Zisserman 2013).
3. A linear map weighs directions by how much they tell pictures apart and how little copying moves them (discriminant
   analysis, as for the descriptor of small views). Rows have length 1. The inner product is the similarity.
4. A picture's features are made once; every region is a sum over some of them. A mirrored region is the sum over mirrored
   features: nothing is extracted again. Turns need nothing: a feature is described along its own direction.
5. A region with fewer than `LEAST_FEATURES` is left out: a handful of features resembles any other handful. A picture without
   as many has the whole frame alone, one without any has none.
6. A region has the same numbers in any company and with any number of threads: each is added up by itself, in float64.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from shared.compute.compiling import compiled_approximately
from shared.errors import InputError
from shared.matching.copy_detection.descriptor import project_rows
from shared.matching.whole_picture.local_features import DIMENSIONS as FEATURE_DIMENSIONS
from shared.matching.whole_picture.local_features import LocalFeatures
from shared.matching.whole_picture.regions import GENERATION_REGIONS, ITEM_REGIONS

SHIPPED = Path(__file__).parent / "weights" / "region-descriptor-1.safetensors"
NAME = "regions:1"
# Rule 5. Of 10, 15 and 30 none was better than another; with one, the right item was among the first 20 for a tenth less.
LEAST_FEATURES = 10
TENSORS = ("axes", "centre", "centroids", "mean", "projection")

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
Flags = NDArray[np.bool_]


@compiled_approximately
def _fill_residuals(
    rows: Floats, diameters: Floats, mean: Floats, axes: Floats, centroids: Floats, cells: NDArray[np.int64], out: Floats
) -> None:
    """Fill in each feature's centroid, (n,), and its weighted direction from there, (n, a)."""
    width, placed = np.uintp(axes.shape[1]), np.empty(axes.shape[1], np.float64)
    for row in range(len(rows)):
        placed[:] = 0
        for i in range(np.uintp(len(mean))):
            value = np.float64(rows[row, i]) - np.float64(mean[i])
            for j in range(width):
                placed[j] += value * np.float64(axes[i, j])
        least, nearest = np.inf, 0
        for cell in range(len(centroids)):
            square = 0.0
            for j in range(width):
                away = placed[j] - np.float64(centroids[cell, j])
                square += away * away
            if square < least:
                least, nearest = square, cell
        cells[row] = nearest
        scale = np.float64(diameters[row]) / max(math.sqrt(least), 1e-6)
        for j in range(width):
            out[row, j] = np.float32((placed[j] - np.float64(centroids[nearest, j])) * scale)


@compiled_approximately
def _fill_sums(residuals: Floats, cells: NDArray[np.int64], inside: Flags, centroids: int, out: Floats) -> None:
    """Fill in the sums of each region, (r, centroids · a), of length 1 (rule 2)."""
    width = np.uintp(residuals.shape[1])
    for region in range(len(inside)):
        sums = np.zeros((centroids, residuals.shape[1]), np.float64)
        for row in range(len(residuals)):
            if inside[region, row]:
                cell = cells[row]
                for j in range(width):
                    sums[cell, j] += np.float64(residuals[row, j])
        total = 0.0
        for cell in range(centroids):
            square = 0.0
            for j in range(width):
                square += sums[cell, j] * sums[cell, j]
            length = math.sqrt(square)
            # Of the root of its length: by the root of the length.
            root = 1 / math.sqrt(max(length, 1e-12))
            for j in range(width):
                sums[cell, j] *= root
            total += length
        scale = 1 / math.sqrt(max(total, 1e-12))
        for cell in range(centroids):
            for j in range(width):
                out[region, np.uintp(cell) * width + j] = np.float32(sums[cell, j] * scale)


@dataclass(frozen=True)
class DescribedRegions:
    """Descriptors of some regions of one picture.

    Attributes:
        vectors: float32 (q, d), rows of length 1.
        numbers: int64 (q,), of each region in the set that was asked for.
        mirrored: bool (q,), whether the picture was read mirrored; the region is that of the picture as it is.
    """

    vectors: Floats
    numbers: NDArray[np.int64]
    mirrored: Flags

    def __len__(self) -> int:
        """How many there are."""
        return len(self.vectors)


@dataclass(frozen=True)
class RegionDescriptor:
    """The codebook and the linear map.

    Args:
        mean: float16 (128,), taken off a feature.
        axes: float16 (128, a), principal axes of features.
        centroids: float16 (c, a).
        centre: float16 (c · a,), taken off the sums of a region.
        projection: float16 (c · a, d).
    """

    mean: Halves
    axes: Halves
    centroids: Halves
    centre: Halves
    projection: Halves

    def __post_init__(self) -> None:
        """Refuse tensors that do not fit together."""
        shapes = {name: getattr(self, name).shape for name in TENSORS}
        is_right = (
            self.axes.ndim == self.centroids.ndim == self.projection.ndim == 2
            and shapes["mean"] == (FEATURE_DIMENSIONS,)
            and shapes["axes"] == (FEATURE_DIMENSIONS, self.centroids.shape[1])
            and shapes["centre"] == (self.centroids.size,)
            and len(self.projection) == self.centroids.size
            and all(getattr(self, name).dtype == np.float16 and np.isfinite(getattr(self, name)).all() for name in TENSORS)
        )
        if not is_right:
            raise InputError(f"expected finite float16 tensors that fit together, got {shapes}", code="descriptor_bad")

    @property
    def name(self) -> str:
        """The name of the map, beside its digest."""
        return NAME

    @property
    def dimensions(self) -> int:
        """Length of a descriptor."""
        return int(self.projection.shape[1])

    @cached_property
    def sha256(self) -> str:
        """Digest of the map and of what it is applied to: feature weights, fewest features, regions."""
        digest = hashlib.sha256(f"{NAME} {LEAST_FEATURES}".encode())
        for regions in (ITEM_REGIONS, GENERATION_REGIONS):
            digest.update(regions.round(9).tobytes())
        for name in TENSORS:
            digest.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        return digest.hexdigest()

    @cached_property
    def _tensors(self) -> dict[str, Floats]:
        return {name: np.ascontiguousarray(getattr(self, name), np.float32) for name in TENSORS}

    def describe_item(self, features: LocalFeatures) -> DescribedRegions:
        """Describe the regions by which an item is found.

        Args:
            features: of the item.

        Returns:
            At most one of each of `ITEM_REGIONS`, in their order.
        """
        return self._describe(features, ITEM_REGIONS, (False,))

    def describe_generation(self, features: LocalFeatures) -> DescribedRegions:
        """Describe the regions that a generation is looked up by: all as it is, then all mirrored.

        Args:
            features: of the generation.

        Returns:
            At most two of each of `GENERATION_REGIONS`.
        """
        return self._describe(features, GENERATION_REGIONS, (False, True))

    def sum_regions(self, features: LocalFeatures, inside: Flags) -> Floats:
        """Add up the features of some regions (rules 1 and 2), before the linear map.

        Args:
            features: of a picture, as it is or mirrored.
            inside: bool (r, n), which of them lie in which region.

        Returns:
            float32 (r, c · a), rows of length 1; zeros where there is no feature.
        """
        tensors = self._tensors
        cells = np.empty(len(features), np.int64)
        residuals = np.empty((len(features), self.centroids.shape[1]), np.float32)
        diameters = np.ascontiguousarray(features.places[:, 2])
        rows, mean, axes, centroids = features.unit_rows, tensors["mean"], tensors["axes"], tensors["centroids"]
        _fill_residuals(rows, diameters, mean, axes, centroids, cells, residuals)
        sums = np.empty((len(inside), self.centroids.size), np.float32)
        _fill_sums(residuals, cells, np.ascontiguousarray(inside), len(centroids), sums)
        return sums

    def _describe(self, features: LocalFeatures, regions: NDArray[np.float64], sides: tuple[bool, ...]) -> DescribedRegions:
        inside = find_inside(features, regions)
        is_described = inside.sum(axis=1) >= LEAST_FEATURES
        is_described[0] = len(features) > 0
        numbers = np.flatnonzero(is_described)
        vectors = np.empty((len(sides) * len(numbers), self.dimensions), np.float32)
        for at, is_mirrored in enumerate(sides):
            sums = self.sum_regions(features.mirror() if is_mirrored else features, inside[numbers])
            part = vectors[at * len(numbers) : (at + 1) * len(numbers)]
            project_rows(sums, self._tensors["centre"], self._tensors["projection"], part)
        return DescribedRegions(vectors, np.tile(numbers, len(sides)), np.repeat(np.array(sides), len(numbers)))

    def save(self, path: Path) -> None:
        """Write the tensors as safetensors."""
        # safetensors writes memory as it lies: an array in another order would come back scrambled.
        save_file({name: np.ascontiguousarray(getattr(self, name)) for name in TENSORS}, path)


def find_inside(features: LocalFeatures, regions: NDArray[np.float64]) -> Flags:
    """Find which features lie in which region, bool (r, n); regions as shares, (r, 4), edges belong to them."""
    shares = (features.points.astype(np.float64) + 0.5) / (features.width, features.height)
    x, y = shares[:, 0], shares[:, 1]
    left, top, right, bottom = (edge[:, None] for edge in regions.T)
    return np.asarray((x >= left) & (x <= right) & (y >= top) & (y <= bottom))


def load_region_descriptor(path: Path = SHIPPED) -> RegionDescriptor:
    """Read a map, the shipped one by default.

    Raises:
        InputError: the file holds another map.
    """
    tensors = load_file(path)
    if set(tensors) != set(TENSORS):
        raise InputError(f"expected {', '.join(TENSORS)} in {path.name}, got {sorted(tensors)}", code="descriptor_bad")
    return RegionDescriptor(**tensors)
