"""A picture to search for: its digests, and how an answer describes it and the comparison."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from shared.canonical import sha256_hex
from shared.vision.fingerprints import RECIPE, ImageFingerprint, build_fingerprint
from shared.vision.image_decoding import decoding
from shared.vision.image_limits import ImageLimits
from shared.vision.perceptual_hash import MIN_QUALITY

# A hundred matches fill a page; more of them are a matter of a smaller distance.
MAX_LIMIT = 200

MatchBasis = Literal["exact", "pixels", "perceptual"]


class QueryAnswer(BaseModel):
    """The picture that was asked for, as it was understood."""

    sha256: str
    width_px: int = Field(description="Upright, after EXIF orientation.")
    height_px: int
    recipe: int = Field(description="Version of the recipe of `pixels_sha256` and `pdq`.")
    pixels_sha256: str = Field(description="Digest of the upright RGB pixels over white, with their size.")
    pdq: str = Field(description="PDQ hash, 64 hexadecimal digits.")


class PerceptualAnswer(BaseModel):
    """Whether hashes could be compared, and by which thresholds."""

    defined: bool = Field(description="False: the picture is too flat to be hashed, and no near copy could be looked for.")
    quality: int = Field(description="PDQ quality of the picture, 0 flat … 100.")
    min_quality: int = Field(description="Below this quality a hash says nothing, on either side.")
    max_distance: int = Field(description="Largest distance that was taken for a match, in bits of 256.")


@dataclass(frozen=True)
class ImageQuery:
    """A picture to search for."""

    sha256: str
    fingerprint: ImageFingerprint
    width_px: int
    height_px: int

    def describe(self) -> QueryAnswer:
        """Describe the picture as it was decoded."""
        return QueryAnswer(
            sha256=self.sha256,
            width_px=self.width_px,
            height_px=self.height_px,
            recipe=RECIPE,
            pixels_sha256=self.fingerprint.pixels_sha256,
            pdq=self.fingerprint.hash.value.hex(),
        )

    def describe_comparison(self, max_distance: int) -> PerceptualAnswer:
        """Say whether its hash could be compared, and up to which distance."""
        perceptual_hash = self.fingerprint.hash
        return PerceptualAnswer(
            defined=perceptual_hash.is_defined,
            quality=perceptual_hash.quality,
            min_quality=MIN_QUALITY,
            max_distance=max_distance,
        )


def build_query(data: bytes, limits: ImageLimits) -> ImageQuery:
    """Decode a picture and take its digests.

    Raises:
        InputError: the bytes are no acceptable image.
    """
    with decoding(data, limits) as image:
        return ImageQuery(sha256_hex(data), build_fingerprint(image.pixels), *image.pixels.size)


def nearest_places(distances: NDArray[np.uint16], count: int) -> NDArray[np.int64]:
    """Return the positions of the `count` smallest distances, and of all that equal the last of them.

    >>> nearest_places(np.array([3, 1, 2, 1], dtype=np.uint16), 1).tolist()
    [1, 3]
    """
    if len(distances) <= count:
        return np.arange(len(distances))
    return np.flatnonzero(distances <= np.partition(distances, count - 1)[count - 1])
