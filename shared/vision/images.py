"""Decoding of images that nobody vouches for.

Rules, in order:

1. Only PNG, JPEG and WebP are tried, whatever the file is called.
2. The encoded size is checked before anything is parsed, the pixel count before anything is decoded.
3. A picture that ends early, or is too small for the similarity suite, is refused; nothing is repaired in silence.
4. What comes out is upright (EXIF orientation applied), RGB, transparency laid over white.
"""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from shared.errors import InputError
from shared.settings import Settings

# Pillow warns of large pictures by a limit of its own, through a mechanism that threads share. Here the size is checked
# against our limit before a pixel is decoded, so Pillow's is switched off.
Image.MAX_IMAGE_PIXELS = None

# Pillow's decoder names, and the media types (RFC 2046, IANA registry) they stand for.
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


@dataclass(frozen=True)
class ImageLimits:
    """What an image may cost: bytes encoded, pixels decoded, and its smallest side in pixels."""

    max_bytes: int
    max_px: int
    min_side_px: int


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
    _check_size(width_px, height_px, limits)
    media_type = MEDIA_TYPES[opened.format or ""]
    return DecodedImage(_load_upright_rgb(opened), media_type, width_px, height_px)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=tuple(MEDIA_TYPES))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError("expected a PNG, JPEG or WebP image, got bytes that are none of them", code="not_an_image") from error


def _check_size(width_px: int, height_px: int, limits: ImageLimits) -> None:
    if width_px * height_px > limits.max_px:
        raise InputError(
            f"image has too many pixels: expected at most {limits.max_px:,}, got {width_px}×{height_px}",
            code="image_too_many_pixels",
        )
    if min(width_px, height_px) < limits.min_side_px:
        raise InputError(
            f"image too small: expected sides of at least {limits.min_side_px} px, got {width_px}×{height_px}",
            code="image_too_small",
        )


def _load_upright_rgb(opened: Image.Image) -> Image.Image:
    try:
        opened.load()
        upright = ImageOps.exif_transpose(opened)
    except (OSError, SyntaxError, ValueError, IndexError) as error:
        raise InputError(f"image is truncated or damaged: {error}", code="image_damaged") from error
    if upright.mode in {"I;16", "I", "F"}:
        # 16-bit grey: Pillow would clip it to white; its upper byte is the picture.
        upright = upright.convert("I").point(lambda value: value / 256).convert("L")
    if upright.has_transparency_data:
        over_white = Image.new("RGBA", upright.size, "white")
        over_white.alpha_composite(upright.convert("RGBA"))
        upright = over_white
    return upright.convert("RGB")
