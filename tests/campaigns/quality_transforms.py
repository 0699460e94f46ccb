"""What copies go through in the quality benchmark: thirteen transforms of a 64 px view.

Rules, in order:

1. Each transform works on the view that a generator of 64 px would put out, and gives such a view.
2. What is random about it is drawn from a generator seeded by the transform's name and the picture's number.
3. The detector indexes other crops than these, and its weights were fitted on other operations (docs/methods/quality.md).
"""

import hashlib
import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from shared.vision.views import view_to_image

SIDE_PX = 64
WORDS = ("SAMPLE", "PREVIEW", "(c) 2024", "DRAFT", "stock", "@artist")

Pixels = NDArray[np.uint8]
Random = np.random.Generator
Transform = Callable[[Image.Image, Random], Image.Image]


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def _noise(image: Image.Image, rng: Random) -> Image.Image:
    # 20 levels: clearly visible grain.
    noisy = np.asarray(image, np.float64) + rng.normal(0, 20, (SIDE_PX, SIDE_PX, 3))
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def _rescale(image: Image.Image) -> Image.Image:
    return image.resize((24, 24), Image.Resampling.BICUBIC).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)


def _crop(image: Image.Image, rng: Random, kept: float) -> Image.Image:
    """Keep a square of this share of each side, anywhere, and enlarge it."""
    side = kept * SIDE_PX
    left, top = rng.uniform(0, SIDE_PX - side, 2)
    box = (left, top, left + side, top + side)
    return image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC, box=box)


def _rotate(image: Image.Image, rng: Random) -> Image.Image:
    degrees = rng.uniform(3, 10) * rng.choice([-1, 1])
    border = ("white", "black", "gray")[rng.integers(3)]
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=border)


def _brighten(image: Image.Image, rng: Random) -> Image.Image:
    factor = rng.uniform(0.55, 0.8) if rng.random() < 0.5 else rng.uniform(1.25, 1.6)
    return ImageEnhance.Brightness(image).enhance(factor)


def _saturate(image: Image.Image, rng: Random) -> Image.Image:
    factor = rng.uniform(0.1, 0.6) if rng.random() < 0.5 else rng.uniform(1.5, 2.2)
    return ImageEnhance.Color(image).enhance(factor)


def _colour(rng: Random) -> tuple[int, int, int]:
    red, green, blue = (int(level) for level in rng.integers(0, 256, 3))
    return red, green, blue


def _write(image: Image.Image, rng: Random) -> Image.Image:
    written = image.copy()
    word, size_px = WORDS[rng.integers(len(WORDS))], int(rng.integers(11, 17))
    place = (int(rng.integers(0, 12)), int(rng.integers(0, SIDE_PX - size_px)))
    ImageDraw.Draw(written).text(place, word, fill=_colour(rng), font=ImageFont.load_default(size_px))
    return written


def _cover(image: Image.Image, rng: Random) -> Image.Image:
    covered = image.copy()
    width, height = (int(side) for side in rng.integers(20, 33, 2))
    left, top = int(rng.integers(0, SIDE_PX - width + 1)), int(rng.integers(0, SIDE_PX - height + 1))
    ImageDraw.Draw(covered).rectangle((left, top, left + width - 1, top + height - 1), fill=_colour(rng))
    return covered


def _combine(image: Image.Image, rng: Random) -> Image.Image:
    return _jpeg(_brighten(_crop(image, rng, 0.9), rng), 50)


TRANSFORMS: dict[str, Transform] = {
    "jpeg": lambda image, _: _jpeg(image, 30),
    "noise": _noise,
    "blur": lambda image, _: image.filter(ImageFilter.GaussianBlur(1.5)),
    "rescale": lambda image, _: _rescale(image),
    "crop_10": lambda image, rng: _crop(image, rng, 0.9),
    "crop_25": lambda image, rng: _crop(image, rng, 0.75),
    "mirror": lambda image, _: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "rotation": _rotate,
    "brightness": _brighten,
    "saturation": _saturate,
    "text": _write,
    "patch": _cover,
    "combined": _combine,
}


def transform_views(name: str, views: Pixels) -> Pixels:
    """Send views through one transform.

    Args:
        name: a key of `TRANSFORMS`.
        views: uint8 (n, 3, 64, 64).

    Returns:
        uint8 (n, 3, 64, 64).
    """
    changed = np.empty_like(views)
    for number, view in enumerate(views):
        seed = int.from_bytes(hashlib.sha256(f"{name} {number}".encode()).digest()[:8], "big")
        changed[number] = np.asarray(TRANSFORMS[name](view_to_image(view), np.random.default_rng(seed))).transpose(2, 0, 1)
    return changed
