"""Candidates for a whole picture: items of which a region resembles one of the picture's, by their local features.

Rules, in order:

1. Each item has a point for each of `ITEM_REGIONS`, item after item; zeros where a region has too few features.
2. A picture looks with every region, as it is and mirrored. Each finds its nearest points, of which an item counts once, with
   the best.
3. A vague region is near to many items. So an item counts by its cosine less that of the region's twentieth item. The best of
   these is the item's.
4. Every point is compared with (`shared.index.coded_scan`): what is found does not depend on a graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shared.array_store import ArrayPlan, ProgressCallback
from shared.canonical import canonical_json, sha256_hex
from shared.compute.threads import cut_evenly, in_threads, usable_cores
from shared.index.coded_scan import ScannedRows
from shared.index.vector_store import StoredVectors, load_vectors
from shared.matching.whole_picture.feature_store import StoredPictures
from shared.matching.whole_picture.local_features import LocalFeatures
from shared.matching.whole_picture.region_descriptor import RegionDescriptor, load_region_descriptor
from shared.matching.whole_picture.regions import ITEM_REGIONS

# Rule 2: with ten regions an item, enough that twenty items come together.
_POINTS = 100
# Rule 3.
_BACKGROUND = 20

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class RegionIndex:
    """The regions of a corpus.

    Args:
        points: (r · n, d), rule 1.
        descriptor: that they were described by.
    """

    points: ScannedRows
    descriptor: RegionDescriptor

    @classmethod
    def build(cls, features: Sequence[LocalFeatures]) -> Self:
        """Describe the items of a corpus, at least one."""
        descriptor = load_region_descriptor()
        return cls(ScannedRows.build(np.concatenate([_describe(descriptor, item) for item in features])), descriptor)

    def find(self, features: LocalFeatures, count: int) -> list[int]:
        """Find the items whose regions resemble a picture's.

        Args:
            features: of the picture.
            count: how many items at most.

        Returns:
            Their rows, likeliest first; none for a picture without features.
        """
        scores = self.score(features)
        return sorted(scores, key=lambda item: (-scores[item], item))[:count]

    def score(self, features: LocalFeatures) -> dict[int, float]:
        """Score the items whose regions are among the nearest to one of a picture's, by row (rule 3)."""
        queries = self.descriptor.describe_generation(features).vectors
        if len(queries) == 0:
            return {}
        numbers, cosines = self.points.nearest(queries, _POINTS)
        best: dict[int, float] = {}
        for row, near in zip(numbers // len(ITEM_REGIONS), cosines, strict=True):
            # Nearest first: the first point of an item is its best.
            items, first = np.unique(row, return_index=True)
            order = np.argsort(first, kind="stable")
            nearest = near[first[order]]
            background = nearest[min(_BACKGROUND, len(nearest)) - 1]
            for item, cosine in zip(items[order].tolist(), nearest.tolist(), strict=True):
                best[item] = max(best.get(item, -2.0), cosine - float(background))
        return best


def _describe(descriptor: RegionDescriptor, features: LocalFeatures) -> Floats:
    """Return an item's points, (r, d)."""
    points = np.zeros((len(ITEM_REGIONS), descriptor.dimensions), np.float32)
    described = descriptor.describe_item(features)
    points[described.numbers] = described.vectors
    return points


@dataclass(frozen=True)
class StoredRegions:
    """An index, and the files that it reads."""

    index: RegionIndex
    vectors: StoredVectors


def load_regions(
    pictures: StoredPictures, manifest_root: str, report_progress: ProgressCallback | None = None
) -> StoredRegions:
    """Return the regions of a manifest's items, describing what is not there.

    Args:
        pictures: the items, with their features.
        manifest_root: the manifest's root, hexadecimal.
        report_progress: called with (rows done, rows in all) after each block that is built.

    Raises:
        CorruptStateError: an item's features are damaged.
    """
    descriptor, regions = load_region_descriptor(), len(ITEM_REGIONS)
    made_of = {"features": pictures.index.sha256, "descriptor": descriptor.sha256}
    name = f"{manifest_root[:32]}-{sha256_hex(canonical_json(made_of))[:16]}-regions"

    def describe(start: int, stop: int) -> Floats:
        return np.concatenate([_describe(descriptor, pictures.load_features(row)) for row in range(start, stop)])

    def make_block(start: int, stop: int) -> Floats:
        first, last = start // regions, -(-stop // regions)
        parts = [(first + low, first + high) for low, high in cut_evenly(last - first, usable_cores())]
        points = np.concatenate(in_threads(describe, parts))
        return np.asarray(points[start - first * regions : stop - first * regions])

    plan = ArrayPlan((regions * len(pictures.blobs), descriptor.dimensions), "float32", make_block)
    vectors = load_vectors(pictures.store.folder, name, plan, report_progress)
    return StoredRegions(RegionIndex(vectors.scanned, descriptor), vectors)
