"""View store: the canonical views of a manifest, kept as one memory-mapped array.

Rules, in order:

1. A file is named by the manifest's root and the recipe's digest, so it can never be read for another set of pixels.
2. It is a projection: built from the blobs when it is missing, and rebuilt when its digest no longer holds.
3. Rows stand in the manifest's order. Building checks every blob's digest.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shared.blobs import BlobStore
from shared.vision.images import ImageLimits, decode_image
from shared.vision.views import Pixels, ViewRecipe, build_view

READ_BYTES = 1 << 20


class ViewStore:
    """The views of sealed manifests.

    Args:
        folder: where the arrays are kept; made where it is missing.
        blobs: where the bytes are.
        limits: what an image may cost.
    """

    def __init__(self, folder: Path, blobs: BlobStore, limits: ImageLimits) -> None:
        self._folder = folder
        self._blobs = blobs
        self._limits = limits

    def load(self, manifest_root: str, blob_sha256s: Sequence[str], recipe: ViewRecipe) -> Pixels:
        """Return the views of a manifest, building them on first use.

        Args:
            manifest_root: the manifest's root, hexadecimal.
            blob_sha256s: the digests of its items' bytes, in its order.
            recipe: how a view is made.

        Returns:
            uint8, shape (N, C, H, W), read-only, memory-mapped.

        Raises:
            CorruptStateError: a blob is damaged.
            NotFoundError: a blob is missing.
        """
        path = self._folder / f"{manifest_root[:32]}-{recipe.sha256[:16]}.npy"
        if not _is_intact(path):
            self._build(path, blob_sha256s, recipe)
        views: Pixels = np.load(path, mmap_mode="r")
        return views

    def _build(self, path: Path, blob_sha256s: Sequence[str], recipe: ViewRecipe) -> None:
        views = np.stack([self.build_one(digest, recipe) for digest in blob_sha256s])
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new.npy")
        np.save(temporary, views)
        _digest_path(path).write_text(_digest(temporary), encoding="ascii")
        temporary.replace(path)

    def build_one(self, blob_sha256: str, recipe: ViewRecipe) -> Pixels:
        """Build the view of one blob, uint8 (C, H, W)."""
        return build_view(decode_image(self._blobs.load(blob_sha256), self._limits).pixels, recipe)


def _digest_path(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _is_intact(path: Path) -> bool:
    stated = _digest_path(path)
    return path.is_file() and stated.is_file() and stated.read_text(encoding="ascii") == _digest(path)
