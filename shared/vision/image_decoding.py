"""Decoding of untrusted images.

Rules, in order:

1. Only PNG, JPEG and WebP are tried, whatever the file is called.
2. The encoded size is checked before anything is parsed. The pixel count and the number of a JPEG's scans are checked before
   anything is decoded. The number of blocks that are read from a file is bounded.
3. A picture that is truncated, or too small for the similarity metrics, is refused. Nothing is repaired silently.
4. The result is upright (EXIF orientation applied), RGB, with transparency laid over white.
5. Of a large picture, memory holds the copies that its decoder needs and one more.
"""

import io
import struct
import zlib
from dataclasses import dataclass

from PIL import Image

from shared.errors import InputError
from shared.settings import Settings
from shared.vision.jpeg_scans import has_more_scans

# Pillow warns of large pictures by a limit of its own, through a mechanism that threads share. Here the size is checked
# against our limit before a pixel is decoded, so Pillow's is switched off.
Image.MAX_IMAGE_PIXELS = None

# The decoders that are tried, by Pillow's names.
FORMATS = ("PNG", "JPEG", "WEBP")
# Pillow's format names, and the media types (RFC 2046, IANA registry) they stand for. A JPEG that holds further pictures, as
# telephones write, is MPO to Pillow (CIPA DC-007); it is a JPEG all the same, and its first picture is the picture.
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "WEBP": "image/webp"}
# Pillow reads a file block by block, in Python: 5 million empty segments, which 20 MB hold, took it 15 s. A PNG of 20 MB in
# the usual blocks of 8 kB takes three reads for each of 2,560.
MAX_READS = 200_000
# libjpeg's own scripts make at most 10 scans (jcparam.c), optimisers some more. 100 of them over 50 million pixels took 1.2 s.
MAX_SCANS = 64
# Pillow decodes WebP on the canvases of an animation, also where there is none: beside the picture it holds two canvases and
# a copy of the frame, 16 bytes a pixel. So that a gigabyte is enough, a WebP may have this share of the pixels.
WEBP_SHARE_OF_PX = 0.8
# What Pillow's readers raise of damaged files: besides errors that it means, those of whatever it tripped over.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, struct.error, zlib.error)

# EXIF 2.32, tag 0x0112 Orientation: what to do so that the picture is upright.
_ORIENTATION = 0x0112
_UPRIGHT_BY_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Rows laid over white at once: of the widest picture accepted with the least rows, a few megabytes.
_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class ImageLimits:
    """What an image may cost: bytes encoded, pixels decoded, and its smallest side in pixels.

    `trust_anchors_pem` are the certificates that signers of its C2PA manifest must chain to in order to count as trusted.
    """

    max_bytes: int
    max_px: int
    min_side_px: int
    trust_anchors_pem: str | None = None


def image_limits(settings: Settings) -> ImageLimits:
    """Return the limits that the settings state."""
    return ImageLimits(settings.max_image_bytes, settings.max_image_px, settings.min_image_side_px)


@dataclass(frozen=True)
class DecodedImage:
    """An image that passed every check: pixels upright in RGB, with the size and type of the encoded file."""

    pixels: Image.Image
    media_type: str
    width_px: int
    height_px: int


class _BoundedFile(io.BytesIO):
    """A file in memory that may be read from only so often."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads += 1
        if self._reads > MAX_READS:
            raise InputError(f"image has too many blocks: expected at most {MAX_READS:,} reads", code="image_damaged")
        return super().read(size)


def decode_image(data: bytes, limits: ImageLimits) -> DecodedImage:
    """Decode untrusted bytes.

    Args:
        data: the encoded file.
        limits: what is accepted.

    Returns:
        The picture, upright, RGB, over white.

    Raises:
        InputError: too large, too small, truncated, or not PNG, JPEG or WebP; the code says which.
    """
    if len(data) > limits.max_bytes:
        raise InputError(
            f"image file too large: expected at most {limits.max_bytes:,} bytes, got {len(data):,}",
            code="image_too_large",
        )
    opened = _open(data)
    width_px, height_px = opened.size
    media_type = MEDIA_TYPES[opened.format or ""]
    _check_size(width_px, height_px, media_type, limits)
    if media_type == "image/jpeg" and has_more_scans(data, MAX_SCANS):
        raise InputError(f"image has too many scans: expected at most {MAX_SCANS}", code="image_damaged")
    upright = _load_upright(opened)
    del opened  # and with it the decoder's own copies, where it was turned
    return DecodedImage(_lay_over_white(upright), media_type, width_px, height_px)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(_BoundedFile(data), formats=FORMATS)
    except _DAMAGE as error:
        raise InputError("expected a PNG, JPEG or WebP image, got bytes that are none of them", code="not_an_image") from error


def _check_size(width_px: int, height_px: int, media_type: str, limits: ImageLimits) -> None:
    max_px = int(limits.max_px * WEBP_SHARE_OF_PX) if media_type == "image/webp" else limits.max_px
    if width_px * height_px > max_px:
        raise InputError(
            f"image has too many pixels: expected at most {max_px:,}, got {width_px}×{height_px}",
            code="image_too_many_pixels",
        )
    if min(width_px, height_px) < limits.min_side_px:
        raise InputError(
            f"image too small: expected sides of at least {limits.min_side_px} px, got {width_px}×{height_px}",
            code="image_too_small",
        )


def _load_upright(opened: Image.Image) -> Image.Image:
    try:
        opened.load()
        turn = _UPRIGHT_BY_ORIENTATION.get(opened.getexif().get(_ORIENTATION, 1))
    except _DAMAGE as error:
        raise InputError(f"image is truncated or damaged: {error}", code="image_damaged") from error
    return opened if turn is None else opened.transpose(turn)


def _lay_over_white(image: Image.Image) -> Image.Image:
    if image.mode in {"I;16", "I", "F"}:
        # 16-bit grey: Pillow would clip it to white; its upper byte is the picture.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    flat = Image.new("RGB", image.size)
    for top in range(0, image.height, _ROWS_AT_ONCE):
        rows = image.crop((0, top, image.width, min(top + _ROWS_AT_ONCE, image.height))).convert("RGBA")
        over_white = Image.new("RGBA", rows.size, "white")
        over_white.alpha_composite(rows)
        flat.paste(over_white.convert("RGB"), (0, top))
    return flat
