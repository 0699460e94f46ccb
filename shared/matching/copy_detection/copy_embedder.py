"""The descriptor as an embedder, so that the gate's vector index can hold it: one vector an image, of its canonical view."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.matching.copy_detection.descriptor import Descriptor, load_descriptor
from shared.matching.copy_detection.luma import SIDE_PX
from shared.vision.views import ViewRecipe, build_view

RECIPE = ViewRecipe(resolution_px=SIDE_PX, channels=3)


class CopyEmbedder:
    """Embeds by the copy descriptor; fits `shared.vision.embedding.Embedder`.

    Args:
        descriptor: another map than the shipped one.
    """

    def __init__(self, descriptor: Descriptor | None = None) -> None:
        self._descriptor = descriptor or load_descriptor()
        self.name = "copies:1"
        self.dimensions = self._descriptor.dimensions
        self.sha256 = self._descriptor.sha256

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed images.

        Args:
            images: upright RGB, any size.

        Returns:
            float32, shape (N, dimensions), rows of length 1.
        """
        if not images:
            return np.empty((0, self.dimensions), np.float32)
        return self._descriptor.describe(np.stack([build_view(image, RECIPE) for image in images]))
