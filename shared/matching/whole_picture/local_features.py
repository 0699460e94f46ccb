"""Local features of a picture: places that are seen again after a crop, a turn or a zoom, and what surrounds each.

Rules, in order:

1. A picture is brought to its comparison size (`ComparisonSize`), at its own aspect ratio.
2. Places are SIFT's, in luma; the strongest `MAX_FEATURES` are kept. Each has a position, a diameter and a direction.
3. A descriptor is SIFT's under the Hellinger kernel (RootSIFT), as 128 bytes: 512 times the root of the share. Of unit length
   but for rounding, so that an inner product is a cosine.
4. The descriptor of a mirrored place needs no second extraction: mirroring exchanges the lines of its cells and the signs of
   its directions (`mirror`).

Source: Lowe 2004, "Distinctive Image Features from Scale-Invariant Keypoints"; Arandjelović and Zisserman 2012, "Three things
everyone should know to improve object retrieval" (RootSIFT). OpenCV computes SIFT.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.vision.views import ViewRecipe

# Rule 2: beyond 600 places the photographs' copies gained nothing (docs/methods/whole-picture.md).
MAX_FEATURES = 600
DIMENSIONS = 128
# Rule 3: a share of 0.25 is the largest that a byte holds, and SIFT cuts single values near 0.2.
SCALE = 512.0
# Rule 4: 4 × 4 cells of 8 directions each; line, column, direction.
_CELLS, _DIRECTIONS = 4, 8
# Of a grey picture and its extremes, in OpenCV's own defaults; written out, since stored features depend on them.
_OCTAVE_LAYERS, _CONTRAST, _EDGE, _SIGMA = 3, 0.04, 10.0, 1.6

# Places are whole multiples of this part of a px or degree, so that stored ones are the same.
PLACE_STEPS = 64
_MOST_PLACE = 1023.0

# Work is spread over threads by pictures (`shared.compute.threads`); OpenCV starts none of its own.
cv2.setNumThreads(1)

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ComparisonSize:
    """The size at which pictures are compared: a setting of the deployment, whatever a model's resolution is.

    Attributes:
        longest_px: what is longer is reduced to it.
        shortest_px: what has a shorter longest side is enlarged to it: on small drawings there would be hardly a place.
    """

    longest_px: int = 512
    shortest_px: int = 256

    def scale(self, width: int, height: int) -> float:
        """Return the factor that brings a picture of this size to the comparison size.

        >>> ComparisonSize().scale(2048, 1024), ComparisonSize().scale(300, 400), ComparisonSize().scale(64, 64)
        (0.25, 1.0, 4.0)
        """
        longest = max(width, height)
        return min(max(longest, self.shortest_px), self.longest_px) / longest

    def resize(self, picture: Image.Image) -> Image.Image:
        """Bring an upright RGB picture to the comparison size; the picture itself where it has that size."""
        factor = self.scale(*picture.size)
        size = tuple(max(1, round(side * factor)) for side in picture.size)
        if size == picture.size:
            return picture
        filter_ = Image.Resampling.BOX if factor < 0.5 else Image.Resampling.BICUBIC
        return picture.resize((size[0], size[1]), filter_, reducing_gap=None if factor >= 1 else 3.0)


@dataclass(frozen=True)
class LocalFeatures:
    """The local features of one picture.

    Attributes:
        width: of the comparison picture, px.
        height: likewise.
        places: float32 (n, 4): x and y in px from the centre of the upper left pixel, diameter in px, direction in degrees.
        descriptors: uint8 (n, 128), rule 3.
    """

    width: int
    height: int
    places: Floats
    descriptors: Bytes

    def __len__(self) -> int:
        """How many there are."""
        return len(self.places)

    @property
    def points(self) -> Floats:
        """Positions alone, float32 (n, 2)."""
        return self.places[:, :2]

    @cached_property
    def rows(self) -> Floats:
        """Descriptors as float32 (n, 128). Their products add up to whole numbers below 2²⁴: exact, in any order."""
        return self.descriptors.astype(np.float32)

    @property
    def unit_rows(self) -> Floats:
        """Descriptors as float32 (n, 128), of length 1."""
        return np.asarray(self.rows * self.inverse_lengths[:, None], np.float32)

    @cached_property
    def inverse_lengths(self) -> NDArray[np.float64]:
        """One over each descriptor's length, float64 (n,)."""
        squares = np.einsum("ij,ij->i", self.descriptors.astype(np.int64), self.descriptors.astype(np.int64))
        return np.asarray(1 / np.sqrt(np.maximum(squares, 1)))

    def mirror(self) -> "LocalFeatures":
        """Return the features of the picture mirrored left to right (rule 4)."""
        cells = self.descriptors.reshape(-1, _CELLS, _CELLS, _DIRECTIONS)
        # Along its own direction a place looks the same; across it, left is right.
        mirrored = cells[:, ::-1][..., [0, *range(_DIRECTIONS - 1, 0, -1)]]
        places = self.places.copy()
        places[:, 0] = self.width - 1 - places[:, 0]
        places[:, 3] = (180 - places[:, 3]) % 360
        return LocalFeatures(self.width, self.height, places, np.ascontiguousarray(mirrored).reshape(-1, DIMENSIONS))


def extract_features(picture: Image.Image) -> LocalFeatures:
    """Extract the local features of a picture at its comparison size.

    Args:
        picture: upright RGB, at its comparison size.

    Returns:
        Its features, strongest first; none of a picture without any detail.
    """
    luma = np.asarray(picture.convert("L"))
    finder = cv2.SIFT.create(MAX_FEATURES, _OCTAVE_LAYERS, _CONTRAST, _EDGE, _SIGMA)
    found, rows = finder.detectAndCompute(luma, None)
    if rows is None or len(found) == 0:
        empty = np.empty((0, 4), np.float32), np.empty((0, DIMENSIONS), np.uint8)
        return LocalFeatures(picture.width, picture.height, *empty)
    places = np.array([(*place.pt, place.size, place.angle) for place in found], np.float32)
    strength = np.array([place.response for place in found])
    # OpenCV may return a few more than asked for, where strengths are equal.
    order = np.lexsort((places[:, 3], places[:, 1], places[:, 0], -strength))[:MAX_FEATURES]
    shares = rows[order] / np.maximum(rows[order].sum(axis=1, keepdims=True), 1)
    descriptors = np.minimum(np.rint(SCALE * np.sqrt(shares)), 255).astype(np.uint8)
    rounded = np.rint(np.clip(places[order], 0, _MOST_PLACE) * PLACE_STEPS) / np.float32(PLACE_STEPS)
    return LocalFeatures(picture.width, picture.height, rounded.astype(np.float32), descriptors)


def show_as_generated(picture: Image.Image, recipe: ViewRecipe) -> Image.Image:
    """Show a picture as a model of a recipe might have put it out, but whole: not larger, and without colours it lacks.

    Args:
        picture: upright RGB.
        recipe: of the model's views.

    Returns:
        RGB, its shorter side at most the model's.

    >>> show_as_generated(Image.new("RGB", (300, 200)), ViewRecipe(resolution_px=64, channels=3)).size
    (96, 64)
    """
    factor = recipe.resolution_px / min(picture.size)
    if factor < 1:
        size = [max(recipe.resolution_px, round(side * factor)) for side in picture.size]
        picture = picture.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    return show_in_channels(picture, recipe.channels)


def show_in_channels(picture: Image.Image, channels: int) -> Image.Image:
    """Show a picture without colours, where a model has none; always RGB."""
    return picture.convert("L").convert("RGB") if channels == 1 else picture
