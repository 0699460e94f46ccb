"""The copy detector of a manifest, stored beside its views: built on first use, loaded from files after that.

Rules, in order:

1. Points are projections of the views. Their file is named by the manifest's root and by the digests of the views, of the
   descriptor and of the indexed views. So points of anything else cannot be taken for them.
2. Their codes (`shared.index.coded_scan`) are made from the points and stored beside them.
3. All files are built in blocks, and rebuilt where a digest does not hold (`shared.array_store`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.array_store import ArrayPlan, ProgressCallback, StoredArray
from shared.canonical import canonical_json, sha256_hex
from shared.compute.threads import cut_evenly, in_threads, usable_cores
from shared.index.vector_store import StoredVectors, load_vectors
from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.copy_embedder import RECIPE
from shared.matching.copy_detection.descriptor import Descriptor, load_descriptor
from shared.matching.copy_detection.fusion import load_fusion
from shared.matching.copy_detection.indexed_views import INDEXED_VIEWS, STARTS, warp_views
from shared.vision.view_store import TrainingBackground, ViewStore
from shared.vision.views import Pixels


@dataclass(frozen=True)
class StoredDetector:
    """A detector, and the files that it reads."""

    detector: CopyDetector
    files: tuple[StoredArray, ...]


def load_copy_detector(
    store: ViewStore,
    manifest_root: str,
    blob_sha256s: Sequence[str],
    report_progress: ProgressCallback | None = None,
    backgrounds: Sequence[TrainingBackground] | None = None,
) -> StoredDetector:
    """Return the detector of a manifest's items.

    Args:
        store: makes and keeps the views; the points are kept in its folder.
        manifest_root: the manifest's root, hexadecimal.
        blob_sha256s: the digests of its items' bytes, in its order; the detector numbers the items so.
        report_progress: called with (rows done, rows in all) after each block that is built.
        backgrounds: as `ViewStore.load_stored` takes them.

    Raises:
        CorruptStateError: a blob is damaged.
        NotFoundError: a blob is missing.
    """
    views = store.load_stored(manifest_root, blob_sha256s, RECIPE, report_progress, backgrounds)
    descriptor = load_descriptor()
    points = _load_points(store, manifest_root, views, descriptor, report_progress)
    detector = CopyDetector(views.rows, points.scanned, descriptor, load_fusion(), views.sha256)
    return StoredDetector(detector, (views, *points.files))


def _load_points(
    store: ViewStore, manifest_root: str, views: StoredArray, descriptor: Descriptor, report_progress: ProgressCallback | None
) -> StoredVectors:
    made_of = {
        "views": views.sha256,
        "descriptor": descriptor.sha256,
        "indexed_views": [[*view] for view in INDEXED_VIEWS],
        "sums": "float64",  # those that were made by float32 products are made again
    }
    name = f"{manifest_root[:32]}-{sha256_hex(canonical_json(made_of))[:16]}-points"
    count = len(views.rows)

    def describe(placement: int, start: int, stop: int) -> NDArray[np.float32]:
        rows: Pixels = np.ascontiguousarray(views.rows[start:stop])
        return descriptor.describe(warp_views(rows, STARTS[placement]) if placement else rows)

    def make_block(start: int, stop: int) -> NDArray[np.float32]:
        parts = [
            (placement, first + low, first + high)
            for placement, first, last in _cut_by_view(start, stop, count)
            for low, high in cut_evenly(last - first, usable_cores())
        ]
        return np.concatenate(in_threads(describe, parts))

    plan = ArrayPlan((len(INDEXED_VIEWS) * count, descriptor.dimensions), "float32", make_block)
    return load_vectors(store.folder, name, plan, report_progress)


def _cut_by_view(start: int, stop: int, count: int) -> Iterator[tuple[int, int, int]]:
    """Cut a range of points into (indexed view, first item, last item plus one).

    >>> list(_cut_by_view(1, 5, 3))
    [(0, 1, 3), (1, 0, 2)]
    """
    while start < stop:
        view, first = divmod(start, count)
        last = min(count, first + stop - start)
        yield view, first, last
        start += last - first
