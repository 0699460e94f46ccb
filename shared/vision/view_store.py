"""The canonical views of manifests, each manifest's stored as one memory-mapped array (`shared.array_store`).

Rules, in order:

1. A file is named by the manifest's root and the recipe's digest, so it is never read for another set of pixels.
2. It is a projection: built from the blobs where it is missing, and rebuilt where its digest no longer holds.
3. Rows stand in the manifest's order. Building checks every blob's digest.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from shared.array_store import ArrayPlan, ProgressCallback, StoredArray, load_or_build
from shared.blobs import BlobStore
from shared.compute.threads import usable_cores
from shared.vision.image_decoding import decoding
from shared.vision.image_limits import ImageLimits
from shared.vision.views import Pixels, ViewRecipe, build_view


class ViewStore:
    """The views of sealed manifests.

    Args:
        folder: where the arrays are kept; made where it is missing.
        blobs: where the bytes are.
        limits: what an image may cost.
    """

    def __init__(self, folder: Path, blobs: BlobStore, limits: ImageLimits) -> None:
        self.folder = folder
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
        return self.load_stored(manifest_root, blob_sha256s, recipe).rows

    def load_stored(
        self,
        manifest_root: str,
        blob_sha256s: Sequence[str],
        recipe: ViewRecipe,
        report_progress: ProgressCallback | None = None,
    ) -> StoredArray:
        """Return the views as `load` does, with digest and stamp; `report_progress` is called after each block built."""
        side = recipe.resolution_px

        def make_block(start: int, stop: int) -> Pixels:
            with ThreadPoolExecutor(usable_cores(), thread_name_prefix="views") as pool:
                return np.stack([*pool.map(lambda digest: self.build_blob_view(digest, recipe), blob_sha256s[start:stop])])

        plan = ArrayPlan((len(blob_sha256s), 1 if recipe.channels == 1 else 3, side, side), "uint8", make_block)
        return load_or_build(self.folder / f"{manifest_root[:32]}-{recipe.sha256[:16]}.npy", plan, report_progress)

    def build_blob_view(self, blob_sha256: str, recipe: ViewRecipe) -> Pixels:
        """Build the view of one blob, uint8 (C, H, W)."""
        with decoding(self._blobs.load(blob_sha256), self._limits) as image:
            return build_view(image.pixels, recipe)
