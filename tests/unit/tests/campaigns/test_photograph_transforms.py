"""Copies of photographs: 24 ways, the same each time, and the original lies where the polygon and the placement say."""

import numpy as np
import pytest
from PIL import Image

from tests.campaigns.photograph_transforms import PARTLY, WAYS, PhotographCopy, copy_photograph, cut_polygon, measure_area

# Ways that leave colours as they are where the original shows.
UNCHANGED = ("crop_56", "crop_25", "crop_12", "mirror", "turn_15", "turn_90", "stretch", "padding", "half_replaced", "collage",
             "inset_half", "inset_third", "left_third")  # fmt: skip
SHARES = {"crop_56": 0.56, "crop_25": 0.25, "crop_12": 0.12, "half_replaced": 0.5, "patch": 0.75}


def paint_slopes(width: int, height: int) -> Image.Image:
    """Red grows to the right and green downwards, blue is full: each pixel says where it comes from."""
    red, green = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.rint(np.stack([red, green, np.full_like(red, 255)], axis=-1)).astype(np.uint8))


# Without blue: nothing of them can be taken for the original.
OTHERS = [Image.new("RGB", (200, 150), colour) for colour in ("black", "red", "green", "yellow")]


@pytest.fixture(params=[(192, 128), (128, 192), (160, 160)], ids=["wide", "upright", "square"])
def original(request: pytest.FixtureRequest) -> Image.Image:
    return paint_slopes(*request.param)


def draw_inside(copy: PhotographCopy) -> np.ndarray:
    """Which pixels lie wholly within the polygon, by more than a pixel; convex, and wound one way or the other."""
    x, y = np.meshgrid(np.arange(copy.image.width) + 0.5, np.arange(copy.image.height) + 0.5)
    ends = np.roll(copy.polygon, -1, axis=0)
    sides = []
    for (left, top), (right, bottom) in zip(copy.polygon, ends, strict=True):
        length = np.hypot(right - left, bottom - top)
        sides.append(((right - left) * (y - top) - (bottom - top) * (x - left)) / length)
    return np.all(np.array(sides) > 1.5, axis=0) | np.all(np.array(sides) < -1.5, axis=0)


@pytest.mark.parametrize("name", UNCHANGED)
def test_each_pixel_within_the_polygon_is_the_originals(name: str, original: Image.Image) -> None:
    copy = copy_photograph(name, 3, original, OTHERS)
    lines, columns = np.nonzero(draw_inside(copy))
    assert len(lines) > 0.01 * copy.image.width * copy.image.height
    shift = np.stack([columns + 0.5, lines + 0.5]) - copy.placement[:, 2:]
    x, y = np.linalg.inv(copy.placement[:, :2]) @ shift
    expected = np.stack([(x - 0.5) / (original.width - 1), (y - 0.5) / (original.height - 1)], axis=1) * 255
    pixels = np.asarray(copy.image, np.float64)[lines, columns]
    assert np.abs(pixels[:, :2] - expected).max() < 6
    assert pixels[:, 2].min() > 250


@pytest.mark.parametrize("name", ["half_replaced", "collage", "inset_half", "inset_third", "left_third"])
def test_nothing_of_the_original_lies_outside_the_polygon(name: str, original: Image.Image) -> None:
    copy = copy_photograph(name, 5, original, OTHERS)
    is_original = np.asarray(copy.image)[..., 2] > 128
    assert is_original.sum() == pytest.approx(measure_area(copy.polygon), rel=0.05)


@pytest.mark.parametrize("name", WAYS)
def test_shares_and_polygons_are_within_the_frames(name: str, original: Image.Image) -> None:
    copy = copy_photograph(name, 1, original, OTHERS)
    assert copy.image.mode == "RGB"
    assert copy.share == pytest.approx(SHARES.get(name, copy.share), abs=0.01)
    assert 0 < copy.share <= 1 + 1e-9
    assert copy.polygon.min() >= -1e-9
    assert np.all(copy.polygon <= np.array(copy.image.size) + 1e-9)
    frame = copy.image.width * copy.image.height
    assert (measure_area(copy.polygon) < 0.97 * frame) == (name in PARTLY)


@pytest.mark.parametrize("name", WAYS)
def test_a_copy_is_the_same_each_time_and_another_picture(name: str) -> None:
    original = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    first, again = (copy_photograph(name, 2, original, OTHERS).image for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert (first.size, first.tobytes()) != (original.size, original.tobytes())


def test_there_are_the_24_ways_of_the_protocol() -> None:
    assert len(WAYS) == 24


def test_a_polygon_that_lies_within_the_window_stays() -> None:
    square = np.array([(1, 1), (3, 1), (3, 3), (1, 3)], float)
    assert cut_polygon(square, (0, 0, 4, 4)).tolist() == square.tolist()
    assert measure_area(square) == 4
