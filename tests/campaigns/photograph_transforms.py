"""What copies of photographs go through in the quality benchmark: 24 ways at native size, each with where the original shows.

Rules, in order:

1. A way takes a photograph as it is and gives a picture as a generator might put it out, with the placement of the original
   in it: an affine map of positions, px, pixel edges at whole numbers.
2. The polygon is the outline of what the original shows in the copy: its frame, placed, cut to the copy's frame and to the
   window that the way leaves it. What covers it within the outline (a word, a patch) is left out of the share, not of the
   polygon.
3. The share is the part of the original's area that is shown, 0..1.
4. What is random is drawn from a generator seeded by the way's name and the picture's number. Other photographs to paste into
   are given by the caller, and drawn by the same generator.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from tests.campaigns.quality_transforms import WORDS

Random = np.random.Generator
Numbers = NDArray[np.float64]
Window = tuple[float, float, float, float]
BICUBIC = Image.Resampling.BICUBIC


@dataclass(frozen=True)
class PhotographCopy:
    """A copy and where the original shows in it.

    Attributes:
        image: RGB.
        placement: float64 (2, 3), from a position of the original to one of the copy, px.
        polygon: float64 (k, 2), x and y in the copy, px; rule 2.
        share: rule 3.
    """

    image: Image.Image
    placement: Numbers
    polygon: Numbers
    share: float


Way = Callable[[Image.Image, Random, Sequence[Image.Image]], PhotographCopy]


def cut_polygon(polygon: Numbers, window: Window) -> Numbers:
    """Cut a convex polygon (k, 2) to a window (left, top, right, bottom), after Sutherland and Hodgman 1974.

    >>> cut_polygon(np.array([(0, 0), (4, 0), (4, 4), (0, 4)], float), (2, 1, 9, 9)).tolist()
    [[2.0, 1.0], [4.0, 1.0], [4.0, 4.0], [2.0, 4.0]]
    """
    for axis, bound, sign in ((0, window[0], 1), (1, window[1], 1), (0, window[2], -1), (1, window[3], -1)):
        kept: list[Numbers] = []
        for at, end in zip(np.roll(polygon, 1, axis=0), polygon, strict=True):
            inside, ends_inside = sign * (at[axis] - bound), sign * (end[axis] - bound)
            if inside * ends_inside < 0:
                kept.append(at + (end - at) * inside / (inside - ends_inside))
            if ends_inside >= 0:
                kept.append(end)
        polygon = np.array(kept).reshape(-1, 2)
    # A corner on a bound is met twice.
    is_new = np.any(np.abs(polygon - np.roll(polygon, 1, axis=0)) > 1e-9, axis=1)
    first = int(np.lexsort((polygon[is_new][:, 0], polygon[is_new][:, 1]))[0])
    return np.roll(polygon[is_new], -first, axis=0)


def measure_area(polygon: Numbers) -> float:
    """Return the area of a polygon (k, 2), px²."""
    x, y = polygon.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _place(
    image: Image.Image,
    original: Image.Image,
    placement: Sequence[Sequence[float]],
    window: Window | None = None,
    cover: float = 0,
) -> PhotographCopy:
    """Say where an original lies; `window` is what is left to it, `cover` the area of the copy that hides it, px²."""
    matrix = np.array(placement, np.float64)
    width, height = original.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    polygon = cut_polygon(corners @ matrix[:, :2].T + matrix[:, 2], window or (0, 0, *image.size))
    shown = (measure_area(polygon) - cover) / abs(np.linalg.det(matrix[:, :2]))
    return PhotographCopy(image, matrix, polygon, float(shown / (width * height)))


def _still(image: Image.Image, original: Image.Image, cover: float = 0) -> PhotographCopy:
    across, down = image.width / original.width, image.height / original.height
    return _place(image, original, ((across, 0, 0), (0, down, 0)), cover=cover)


def _jpeg(original: Image.Image) -> PhotographCopy:
    file = io.BytesIO()
    original.save(file, "JPEG", quality=30)
    return _still(Image.open(io.BytesIO(file.getvalue())).convert("RGB"), original)


def _crop(original: Image.Image, rng: Random, area: float) -> PhotographCopy:
    """Keep this share of the area, anywhere, enlarged to the size of the original."""
    (width, height), side = original.size, area**0.5
    left, top = rng.uniform(0, width * (1 - side)), rng.uniform(0, height * (1 - side))
    image = original.resize(original.size, BICUBIC, box=(left, top, left + width * side, top + height * side))
    return _place(image, original, ((1 / side, 0, -left / side), (0, 1 / side, -top / side)))


def _mirror(original: Image.Image) -> PhotographCopy:
    return _place(ImageOps.mirror(original), original, ((-1, 0, original.width), (0, 1, 0)))


def _turn_15(original: Image.Image, rng: Random) -> PhotographCopy:
    degrees = 15.0 * rng.choice([-1, 1])
    border = ("white", "black", "gray")[rng.integers(3)]
    image = original.rotate(degrees, BICUBIC, fillcolor=border)
    (x, y), cos, sin = (side / 2 for side in original.size), np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return _place(image, original, ((cos, sin, x - cos * x - sin * y), (-sin, cos, y + sin * x - cos * y)))


def _turn_90(original: Image.Image, rng: Random) -> PhotographCopy:
    if rng.random() < 0.5:
        return _place(original.transpose(Image.Transpose.ROTATE_90), original, ((0, 1, 0), (-1, 0, original.width)))
    return _place(original.transpose(Image.Transpose.ROTATE_270), original, ((0, -1, original.height), (1, 0, 0)))


def _exchange_channels(original: Image.Image, rng: Random) -> PhotographCopy:
    order = [(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)][rng.integers(5)]
    return _still(Image.fromarray(np.asarray(original)[..., order]), original)


def _colour(rng: Random) -> tuple[int, int, int]:
    red, green, blue = (int(level) for level in rng.integers(0, 256, 3))
    return red, green, blue


def _write(original: Image.Image, rng: Random) -> PhotographCopy:
    """Write a word from side to side; its strokes hide next to nothing and count so."""
    image, word = original.copy(), WORDS[rng.integers(len(WORDS))]
    font = ImageFont.load_default(original.width / 5)
    left, top, right, bottom = font.getbbox(word)
    room = original.width - (right - left), original.height - (bottom - top)
    place = (rng.uniform(min(room[0], 0), max(room[0], 0)) - left, rng.uniform(min(room[1], 0), max(room[1], 0)) - top)
    ImageDraw.Draw(image).text(place, word, fill=_colour(rng), font=font)
    return _still(image, original)


def _cover(original: Image.Image, rng: Random) -> PhotographCopy:
    """Cover a quarter of the area, anywhere, by a rectangle between 2:3 and 3:2 of the frame's own shape."""
    image, wide = original.copy(), rng.uniform((2 / 3) ** 0.5, (3 / 2) ** 0.5)
    width, height = round(original.width * 0.5 * wide), round(original.height * 0.5 / wide)
    left, top = int(rng.integers(original.width - width + 1)), int(rng.integers(original.height - height + 1))
    ImageDraw.Draw(image).rectangle((left, top, left + width - 1, top + height - 1), fill=_colour(rng))
    return _still(image, original, cover=width * height)


def _pad(original: Image.Image, rng: Random) -> PhotographCopy:
    """Put the original into the middle of a plain frame, 48 % of the area."""
    wide = 0.48**-0.5
    canvas = Image.new("RGB", (round(original.width * wide), round(original.height * wide)), _colour(rng))
    left, top = (canvas.width - original.width) // 2, (canvas.height - original.height) // 2
    canvas.paste(original, (left, top))
    return _place(canvas, original, ((1, 0, left), (0, 1, top)))


def _median(original: Image.Image) -> PhotographCopy:
    small = original.copy()
    small.thumbnail((256, 256), BICUBIC)
    return _still(small.filter(ImageFilter.MedianFilter(9)), original)


def _posterise(original: Image.Image) -> PhotographCopy:
    return _still(ImageOps.posterize(original.filter(ImageFilter.ModeFilter(7)), 3), original)


def _sketch(original: Image.Image) -> PhotographCopy:
    edges = ImageOps.grayscale(original).filter(ImageFilter.GaussianBlur(1)).filter(ImageFilter.FIND_EDGES)
    return _still(ImageOps.autocontrast(ImageOps.invert(edges), cutoff=1).convert("RGB"), original)


def _another(rng: Random, others: Sequence[Image.Image], size: tuple[int, int]) -> Image.Image:
    return ImageOps.fit(others[int(rng.integers(len(others)))], size, BICUBIC)


def _replace_half(original: Image.Image, rng: Random, others: Sequence[Image.Image]) -> PhotographCopy:
    image, middle = _another(rng, others, original.size), original.width // 2
    image.paste(original.crop((0, 0, middle, original.height)), (0, 0))
    return _place(image, original, ((1, 0, 0), (0, 1, 0)), (0, 0, middle, original.height))


def _blend(original: Image.Image, rng: Random, others: Sequence[Image.Image]) -> PhotographCopy:
    return _still(Image.blend(original, _another(rng, others, original.size), 0.35), original)


def _collage(original: Image.Image, rng: Random, others: Sequence[Image.Image]) -> PhotographCopy:
    """Show four pictures in the frame of the original, each at half its sides."""
    canvas, own = Image.new("RGB", original.size), int(rng.integers(4))
    columns, lines = (0, original.width // 2, original.width), (0, original.height // 2, original.height)
    chosen = rng.choice(len(others), 3, replace=len(others) < 3)
    pictures = [others[at] for at in chosen]
    pictures.insert(own, original)
    for at, picture in enumerate(pictures):
        left, top = columns[at % 2], lines[at // 2]
        canvas.paste(ImageOps.fit(picture, (columns[at % 2 + 1] - left, lines[at // 2 + 1] - top), BICUBIC), (left, top))
    left, top, width, height = columns[own % 2], lines[own // 2], original.width / 2, original.height / 2
    return _place(canvas, original, ((width / original.width, 0, left), (0, height / original.height, top)))


def _inset(original: Image.Image, rng: Random, others: Sequence[Image.Image], side: float) -> PhotographCopy:
    """Put the original, shrunk to fit within this share of both sides, anywhere into another picture."""
    canvas = others[int(rng.integers(len(others)))].copy()
    shrink = side * min(canvas.width / original.width, canvas.height / original.height)
    small = original.resize((round(original.width * shrink), round(original.height * shrink)), BICUBIC)
    left, top = int(rng.integers(canvas.width - small.width + 1)), int(rng.integers(canvas.height - small.height + 1))
    canvas.paste(small, (left, top))
    across, down = small.width / original.width, small.height / original.height
    return _place(canvas, original, ((across, 0, left), (0, down, top)))


def _left_third(original: Image.Image, rng: Random, others: Sequence[Image.Image]) -> PhotographCopy:
    """Fill the left third of a picture of 16:9 with the middle of the original, the rest with another."""
    height = original.height
    third, width = round(height * 16 / 27), round(height * 16 / 9)
    canvas = Image.new("RGB", (width, height))
    canvas.paste(_another(rng, others, (width - third, height)), (third, 0))
    # An upright original may be narrower than the third: it is enlarged to fill it.
    scale = max(1.0, third / original.width)
    shift_x, shift_y = (third - scale * original.width) / 2, (height - scale * original.height) / 2
    box = (-shift_x / scale, -shift_y / scale, (third - shift_x) / scale, (height - shift_y) / scale)
    canvas.paste(original.resize((third, height), BICUBIC, box=box), (0, 0))
    return _place(canvas, original, ((scale, 0, shift_x), (0, scale, shift_y)), (0, 0, third, height))


WAYS: dict[str, Way] = {
    "jpeg": lambda picture, _, __: _jpeg(picture),
    "blur": lambda picture, _, __: _still(picture.filter(ImageFilter.GaussianBlur(1.5 / 64 * picture.width)), picture),
    "crop_56": lambda picture, rng, _: _crop(picture, rng, 0.56),
    "crop_25": lambda picture, rng, _: _crop(picture, rng, 0.25),
    "crop_12": lambda picture, rng, _: _crop(picture, rng, 0.12),
    "mirror": lambda picture, _, __: _mirror(picture),
    "turn_15": lambda picture, rng, _: _turn_15(picture, rng),
    "turn_90": lambda picture, rng, _: _turn_90(picture, rng),
    "brightness": lambda picture, _, __: _still(ImageEnhance.Brightness(picture).enhance(0.6), picture),
    "grey": lambda picture, _, __: _still(ImageOps.grayscale(picture).convert("RGB"), picture),
    "channels": lambda picture, rng, _: _exchange_channels(picture, rng),
    "word": lambda picture, rng, _: _write(picture, rng),
    "patch": lambda picture, rng, _: _cover(picture, rng),
    "stretch": lambda picture, _, __: _still(picture.resize((round(picture.width * 1.6), picture.height), BICUBIC), picture),
    "padding": lambda picture, rng, _: _pad(picture, rng),
    "median": lambda picture, _, __: _median(picture),
    "posterised": lambda picture, _, __: _posterise(picture),
    "edges": lambda picture, _, __: _sketch(picture),
    "half_replaced": _replace_half,
    "blend": _blend,
    "collage": _collage,
    "inset_half": lambda picture, rng, others: _inset(picture, rng, others, 1 / 2),
    "inset_third": lambda picture, rng, others: _inset(picture, rng, others, 1 / 3),
    "left_third": _left_third,
}
# Where the original shows in a part of the copy only, so that localisation says something.
PARTLY = ("turn_15", "padding", "half_replaced", "collage", "inset_half", "inset_third", "left_third")


def copy_photograph(name: str, number: int, original: Image.Image, others: Sequence[Image.Image]) -> PhotographCopy:
    """Send a photograph through one way.

    Args:
        name: a key of `WAYS`.
        number: of the picture; it seeds what is random.
        original: RGB.
        others: RGB pictures to paste into or beside, at least one.
    """
    seed = int.from_bytes(hashlib.sha256(f"photograph {name} {number}".encode()).digest()[:8], "big")
    return WAYS[name](original, np.random.default_rng(seed), others)
