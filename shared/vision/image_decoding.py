"""Decoding of untrusted images.

Rules, in order:

1. Content decides which of seven formats a file has; others are refused by name (`image_formats`).
2. Sizes are checked before anything is decoded, and every error of a decoder is an `InputError` (`encoded_image`).
3. Decoding takes its memory from one budget of the process (`decode_budget`).
4. The picture is the file's first frame, upright, RGB, with transparency laid over white.
5. A check judges more: every frame, and transparency over each background that shows something else (`decode_variants`).
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from shared.errors import InputError
from shared.vision.decode_budget import BUDGET
from shared.vision.encoded_image import EncodedImage, guarded
from shared.vision.image_limits import ImageLimits

Background = Literal["white", "black", "none"]
# What transparency is laid over; "none" shows the colours as they stand under the alpha channel.
BACKGROUNDS: tuple[Background, ...] = ("white", "black", "none")
# Rows laid over a background at once: of the widest picture accepted with the least rows, a few megabytes.
_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class DecodedImage:
    """An image that passed every check: pixels upright in RGB, with the size and type of the encoded file."""

    pixels: Image.Image
    media_type: str
    width_px: int
    height_px: int


@dataclass(frozen=True)
class ImageVariant:
    """One way in which a file is shown: a frame, from 0, over a background; RGB, upright."""

    pixels: Image.Image
    frame: int
    background: Background


@dataclass(frozen=True)
class ImageFacts:
    """What is recorded of an image that passed every check: type and size of the encoded file, and how many frames it has."""

    media_type: str
    width_px: int
    height_px: int
    frames: int


def inspect_image(data: bytes, limits: ImageLimits) -> ImageFacts:
    """Decode untrusted bytes as `decode_image` does, and say what is recorded of them.

    Raises:
        InputError: as `decode_image`, or its frames cannot be counted.
        UnavailableError: too many others are decoding.
    """
    with decoding(data, limits) as decoded:
        return ImageFacts(decoded.media_type, decoded.width_px, decoded.height_px, EncodedImage(data, limits).frame_count)


def decode_image(data: bytes, limits: ImageLimits) -> DecodedImage:
    """Decode untrusted bytes.

    Args:
        data: the encoded file.
        limits: what is accepted.

    Returns:
        The picture, upright, RGB, over white; of several the first.

    Raises:
        InputError: too large, too small, truncated, or of no format that is read; the code says which.
        UnavailableError: too many others are decoding.
    """
    with decoding(data, limits) as image:
        return image


@contextmanager
def decoding_unflattened(data: bytes, limits: ImageLimits) -> Iterator[Image.Image | None]:
    """Decode the first frame of a picture that has transparency, in its own mode, as `decoding` does; None for an opaque one.

    What is opaque by its head is not decoded.
    """
    image = EncodedImage(data, limits)
    if not image.may_be_transparent:
        yield None
        return
    with BUDGET.reserve(image.cost_bytes, limits.memory_bytes):
        yield image.load_frame()


@contextmanager
def decoding(data: bytes, limits: ImageLimits) -> Iterator[DecodedImage]:
    """Decode untrusted bytes as `decode_image` does, and hold the memory for it as long as the block runs.

    For who turns the picture into something small within the block. Nothing else is decoded there.
    """
    image = EncodedImage(data, limits)
    with BUDGET.reserve(image.cost_bytes, limits.memory_bytes):
        picture = image.load_frame()
        media_type, width_px, height_px = image.format.media_type, image.width_px, image.height_px
        del image  # and with it the decoder's own copies, where it was turned
        yield DecodedImage(flatten(picture, "white"), media_type, width_px, height_px)


def decode_variants(data: bytes, limits: ImageLimits) -> Generator[ImageVariant]:
    """Decode every way in which a file is shown.

    Args:
        data: the encoded file.
        limits: what is accepted.

    Yields:
        Each frame over white and, where it has transparency, over black and without its alpha channel; one at a time. The
        first one is what `decode_image` returns.

    Raises:
        InputError: as `decode_image`, of any of its frames, or there are too many.
        UnavailableError: too many others are decoding.
    """
    image = EncodedImage(data, limits)
    limits.check_frames(image.frame_count, image.width_px * image.height_px)
    with BUDGET.reserve(image.cost_bytes, limits.memory_bytes):
        for frame in range(image.frame_count):
            picture = image.load_frame(frame)
            for background in BACKGROUNDS if picture.has_transparency_data else BACKGROUNDS[:1]:
                yield ImageVariant(flatten(picture, background), frame, background)


def flatten(picture: Image.Image, background: Background | Literal["grey"]) -> Image.Image:
    """Make RGB of a picture of any mode, with its transparency laid over a background.

    Raises:
        InputError: it cannot be shown in RGB.
    """
    with guarded():
        if picture.mode in {"I", "F"} and picture.format == "TIFF":
            raise InputError("image has samples of 32 bits, whose range nobody states", code="image_format_unsupported")
        if picture.mode in {"I", "F"} or picture.mode.startswith("I;16"):
            # 16-bit grey: Pillow would clip it to white; its upper byte is the picture.
            picture = picture.convert("I").point(lambda value: value / 256).convert("L")
        if not picture.has_transparency_data:
            return picture.convert("RGB")
        flat = Image.new("RGB", picture.size)
        for top in range(0, picture.height, _ROWS_AT_ONCE):
            rows = picture.crop((0, top, picture.width, min(top + _ROWS_AT_ONCE, picture.height))).convert("RGBA")
            flat.paste(_flatten_rows(rows, background), (0, top))
        return flat


def _flatten_rows(rows: Image.Image, background: str) -> Image.Image:
    if background == "none":
        return rows.convert("RGB")
    below = Image.new("RGBA", rows.size, background)
    below.alpha_composite(rows)
    return below.convert("RGB")
