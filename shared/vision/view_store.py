"""The canonical views of manifests, each manifest's stored as one memory-mapped array (`shared.array_store`).

Rules, in order:

1. A file is named by the manifest's root and the recipe's digest, so it is never read for another set of pixels.
2. It is a projection: built from the blobs where it is missing, and rebuilt where its digest no longer holds.
3. Rows stand in the manifest's order. Building checks every blob's digest.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from shared.array_store import ArrayPlan, ProgressCallback, StoredArray, load_or_build
from shared.blobs import BlobStore
from shared.compute.threads import usable_cores
from shared.vision.image_decoding import decoding, decoding_unflattened, flatten
from shared.vision.image_limits import ImageLimits
from shared.vision.views import Pixels, ViewRecipe, build_view

# What training may have laid transparency over; "none" is what `convert("RGB")` leaves, the colours under the alpha channel.
TrainingBackground = Literal["white", "black", "grey", "none"]


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
        backgrounds: Sequence[TrainingBackground] | None = None,
    ) -> StoredArray:
        """Return the views as `load` does, with digest and stamp; `report_progress` is called after each block built.

        `backgrounds` says for each row what transparency is laid over, white by default; the root names those as well.
        """
        side = recipe.resolution_px

        def make_block(start: int, stop: int) -> Pixels:
            with ThreadPoolExecutor(usable_cores(), thread_name_prefix="views") as pool:
                below = backgrounds[start:stop] if backgrounds else ["white"] * (stop - start)
                jobs = zip(blob_sha256s[start:stop], below, strict=True)
                return np.stack([*pool.map(lambda job: self.build_blob_view(job[0], recipe, job[1]), jobs)])

        plan = ArrayPlan((len(blob_sha256s), 1 if recipe.channels == 1 else 3, side, side), "uint8", make_block)
        return load_or_build(self.folder / f"{manifest_root[:32]}-{recipe.sha256[:16]}.npy", plan, report_progress)

    def build_blob_view(self, blob_sha256: str, recipe: ViewRecipe, background: TrainingBackground = "white") -> Pixels:
        """Build the view of one blob, uint8 (C, H, W), its transparency over a background."""
        return build_view(self.load_picture(blob_sha256, background), recipe)

    def load_picture(self, blob_sha256: str, background: TrainingBackground) -> Image.Image:
        """Decode a blob, upright and RGB, its transparency over a background."""
        data = self._blobs.load(blob_sha256)
        if background != "white":
            with decoding_unflattened(data, self._limits) as picture:
                if picture is not None:
                    return flatten(picture, background)
        with decoding(data, self._limits) as image:
            return image.pixels

    def find_differing_backgrounds(
        self, blob_sha256: str, recipe: ViewRecipe, backgrounds: Sequence[TrainingBackground]
    ) -> list[TrainingBackground]:
        """Return those backgrounds over which a blob's view is another one than over white, and than over those before."""
        with decoding_unflattened(self._blobs.load(blob_sha256), self._limits) as picture:
            if picture is None:
                return []
            seen, differing = {build_view(flatten(picture, "white"), recipe).tobytes()}, []
            for background in backgrounds:
                view = build_view(flatten(picture, background), recipe)
                # A view of one colour shows nothing that could be copied.
                if view.tobytes() not in seen and (view != view[:, :1, :1]).any():
                    differing.append(background)
                seen.add(view.tobytes())
            return differing
