"""What is known of a training set before any generation comes, computed once for a manifest and kept.

Rules, in order:

1. Hashes and duplicate clusters follow from the views and the blobs' digests alone, so the file that keeps them is a
   projection: named by manifest and view recipe, built when it is missing, rebuilt when its digest no longer holds.
2. Rows stand in the manifest's order.
"""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shared.files import save_atomically
from shared.matching.duplicates import Clusters, build_clusters
from shared.matching.rules.evidence import TrainingSide
from shared.matching.view_hashes import ViewHashes, hash_views
from shared.vision.views import Pixels, ViewRecipe

DIGEST_BYTES = 32
# Grows whenever the same views would give other hashes or clusters.
VERSION = 1


def load_training_side(
    folder: Path, manifest_root: str, recipe: ViewRecipe, blob_sha256s: Sequence[str], views: Pixels
) -> TrainingSide:
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
    path = folder / f"{manifest_root[:32]}-{recipe.sha256[:16]}-v{VERSION}.hashes"
    kept = _load(path)
    if kept is None:
        hashes = hash_views(views)
        kept = hashes, build_clusters(blob_sha256s, views, hashes)
        _save(path, *kept)
    hashes, clusters = kept
    return TrainingSide(views, clusters, hashes)


def _save(path: Path, hashes: ViewHashes, clusters: Clusters) -> None:
    data = io.BytesIO()
    np.savez(
        data,
        packed=hashes.packed,
        quality=hashes.quality,
        labels=clusters.labels,
        exact=clusters.exact,
        near=clusters.near,
    )
    save_atomically(path, hashlib.sha256(data.getvalue()).digest() + data.getvalue())


def _load(path: Path) -> tuple[ViewHashes, Clusters] | None:
    if not path.is_file():
        return None
    kept = path.read_bytes()
    digest, data = kept[:DIGEST_BYTES], kept[DIGEST_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        return None
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        hashes = ViewHashes(np.asfortranarray(arrays["packed"]), arrays["quality"])
        return hashes, Clusters(arrays["labels"], arrays["exact"], arrays["near"])
