"""Canonical views: the one form in which training, comparison and the gate see an image.

The recipe, step by step: upright RGB over white (`image_decoding`); centre-cropped to a square; resized with Pillow's bicubic
filter, antialiased where it shrinks; turned to luma where the model is grey. The recipe has a version, and its digest is
recorded with every model and decision, so that a figure names the pixels it was measured on.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import BaseModel, ConfigDict, Field

from shared.canonical import canonical_json, sha256_hex

Pixels = NDArray[np.uint8]


class ViewRecipe(BaseModel):
    """How a view is made; `version` grows whenever the same inputs would give other pixels."""

    model_config = ConfigDict(frozen=True)

    version: int = 1
    resolution_px: int = Field(ge=8, le=4096)
    channels: int = Field(ge=1, le=3)
    crop: str = "centre square"
    filter: str = "pillow bicubic"

    @property
    def sha256(self) -> str:
        """Digest of the recipe's canonical JSON."""
        return sha256_hex(canonical_json(self.model_dump()))


def build_view(image: Image.Image, recipe: ViewRecipe) -> Pixels:
    """Make the canonical view of an upright RGB image.

    Args:
        image: RGB, any size.
        recipe: resolution and channels (1 luma, 3 RGB).

    Returns:
        uint8 array of shape (C, H, W), 0..255.

    >>> build_view(Image.new("RGB", (30, 20), "white"), ViewRecipe(resolution_px=8, channels=1)).shape
    (1, 8, 8)
    """
    size = (recipe.resolution_px, recipe.resolution_px)
    square = ImageOps.fit(image, size, method=Image.Resampling.BICUBIC)
    if recipe.channels == 1:
        return np.asarray(square.convert("L"))[None].copy()
    return np.asarray(square).transpose(2, 0, 1).copy()


def view_to_image(view: Pixels) -> Image.Image:
    """Turn a view, uint8 (C, H, W), back into a picture of mode L or RGB."""
    if view.shape[0] == 1:
        return Image.fromarray(view[0], mode="L")
    return Image.fromarray(np.ascontiguousarray(view.transpose(1, 2, 0)), mode="RGB")
