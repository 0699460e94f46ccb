"""What is known of a training set, computed once for a manifest and stored.

Rules, in order:

1. Hashes, duplicate clusters and the means that bound scores follow from the views and the blobs' digests alone. So their
   files are projections: named by manifest and view recipe, built where they are missing, rebuilt where their digest no
   longer holds.
2. Rows stand in the manifest's order.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.array_store import ArrayPlan, ProgressCallback, StoredArray, load_or_build
from shared.compute.threads import cut_evenly, in_threads, usable_cores
from shared.files import save_atomically
from shared.matching.ssim_search.ssim_terms import build_means, means_shape
from shared.matching.training_set.duplicates import build_clusters
from shared.matching.training_set.training_set import Clusters, TrainingSet
from shared.matching.training_set.view_hashes import ViewHashes, hash_views
from shared.vision.perceptual_hash import WORDS
from shared.vision.views import Pixels, ViewRecipe

DIGEST_BYTES = 32
# Grows whenever the same views would give other hashes, means or clusters.
VERSION = 2
# Views whose terms are held at once while their means are computed: 5 MB at 64 × 64 × 3.
MEANS_AT_ONCE = 64


@dataclass(frozen=True)
class StoredTrainingSet:
    """A training set, the means that bound the scores of its views, and the memory-mapped files."""

    side: TrainingSet
    means: NDArray[np.float32]
    files: tuple[StoredArray, ...]


def load_training_set(
    folder: Path, manifest_root: str, recipe: ViewRecipe, blob_sha256s: Sequence[str], views: Pixels
) -> TrainingSet:
    """Return hashes and clusters of a manifest's views, building them on first use.

    Args:
        folder: where projections of views are kept; made where it is missing.
        manifest_root: the manifest's root, hexadecimal.
        recipe: how its views were made.
        blob_sha256s: the digests of its items' bytes, in its order.
        views: uint8 (N, C, H, W), its views in the same order.

    Raises:
        InputError: digests and views differ in number.
    """
    return _load_side(folder, _name(manifest_root, recipe), blob_sha256s, views, None)


def load_bounded_training_set(
    folder: Path,
    manifest_root: str,
    recipe: ViewRecipe,
    blob_sha256s: Sequence[str],
    views: StoredArray,
    report_progress: ProgressCallback | None = None,
) -> StoredTrainingSet:
    """Return what `load_training_set` does, and the means that bound the scores of the views (`ssim_terms.BoundedViews`)."""
    name = _name(manifest_root, recipe)
    side = _load_side(folder, name, blob_sha256s, views.rows, report_progress)

    def make_block(start: int, stop: int) -> NDArray[np.float32]:
        rows = views.rows[start:stop]
        cuts = range(0, len(rows), MEANS_AT_ONCE)
        return np.concatenate([build_means(np.ascontiguousarray(rows[at : at + MEANS_AT_ONCE])) for at in cuts])

    plan = ArrayPlan((len(views.rows), *means_shape(views.rows.shape[1:])), "float32", make_block)
    means = load_or_build(folder / f"{name}-means-{views.sha256[:12]}.npy", plan, report_progress)
    return StoredTrainingSet(side, means.rows, (views, means))


def _name(manifest_root: str, recipe: ViewRecipe) -> str:
    return f"{manifest_root[:32]}-{recipe.sha256[:16]}-v{VERSION}"


def _load_side(
    folder: Path, name: str, blob_sha256s: Sequence[str], views: Pixels, report_progress: ProgressCallback | None
) -> TrainingSet:
    hashes = _load_hashes(folder / f"{name}-hashes.npy", views, report_progress)
    path = folder / f"{name}.clusters"
    clusters = _load_clusters(path, len(views))
    if clusters is None:
        clusters = build_clusters(blob_sha256s, views, hashes)
        _save_clusters(path, clusters)
    return TrainingSet(views, clusters, hashes)


def _load_hashes(path: Path, views: Pixels, report_progress: ProgressCallback | None) -> ViewHashes:
    """Return the hashes, in memory: 40 bytes a view. A row is the four words and the quality."""

    def make_block(start: int, stop: int) -> NDArray[np.uint64]:
        parts = [(start + low, start + high) for low, high in cut_evenly(stop - start, usable_cores())]
        hashed = in_threads(lambda low, high: hash_views(views[low:high]), parts)
        return np.concatenate([np.c_[hashes.packed, hashes.quality.astype(np.uint64)] for hashes in hashed])

    rows = load_or_build(path, ArrayPlan((len(views), WORDS + 1), "uint64", make_block), report_progress).rows
    return ViewHashes(np.asfortranarray(rows[:, :WORDS]), rows[:, WORDS].astype(np.int64))


def _save_clusters(path: Path, clusters: Clusters) -> None:
    data = io.BytesIO()
    np.savez(data, labels=clusters.labels, exact=clusters.exact, near=clusters.near)
    save_atomically(path, hashlib.sha256(data.getvalue()).digest() + data.getvalue())


def _load_clusters(path: Path, count: int) -> Clusters | None:
    if not path.is_file():
        return None
    content = path.read_bytes()
    digest, data = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        return None
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        clusters = Clusters(arrays["labels"], arrays["exact"], arrays["near"])
    return clusters if len(clusters.labels) == count else None
