"""How a picture is recognised: by the digest of its canonical pixels, and by its perceptual hash.

The recipe, version 1, in order:

1. The bytes are decoded by `image_decoding`: upright, RGB, transparency over white, 16-bit grey cut to its upper byte.
   Colour profiles are not applied.
2. The pixel digest is SHA-256 over a label, width and height (32 bits each, big-endian), and the RGB values row by row.
3. The hash is PDQ over the same pixels (`perceptual_hash`).

A change that gives the same bytes another digest or hash makes another version.
"""

import hashlib
from dataclasses import dataclass

from PIL import Image

from shared.vision.perceptual_hash import PerceptualHash, hash_image

RECIPE = 1

# Keeps these digests apart from those of any other bytes, and of other versions.
_LABEL = b"sleeve pixels 1\n"
# Rows that are copied at a time, so that a picture of 50 megapixels is not held twice.
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class ImageFingerprint:
    """The pixel digest and the perceptual hash of one picture."""

    pixels_sha256: str
    hash: PerceptualHash


def build_fingerprint(image: Image.Image) -> ImageFingerprint:
    """Make the fingerprint of an upright RGB picture."""
    return ImageFingerprint(digest_pixels(image), hash_image(image))


def digest_pixels(image: Image.Image) -> str:
    """Return the SHA-256 of a picture's size and pixels.

    Args:
        image: upright RGB.

    >>> wide, high = Image.new("RGB", (2, 8)), Image.new("RGB", (8, 2))
    >>> digest_pixels(wide) == digest_pixels(high)
    False
    """
    width_px, height_px = image.size
    digest = hashlib.sha256(_LABEL + width_px.to_bytes(4, "big") + height_px.to_bytes(4, "big"))
    for top in range(0, height_px, _ROWS_AT_ONCE):
        digest.update(image.crop((0, top, width_px, min(top + _ROWS_AT_ONCE, height_px))).tobytes())
    return digest.hexdigest()
