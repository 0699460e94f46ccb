"""A file that costs too much is refused with the figure that is allowed, what it has, and the setting to change."""

import re
from collections.abc import Callable
from dataclasses import asdict

import pytest

from shared.errors import InputError
from shared.settings import Settings
from shared.vision.image_decoding import decode_image, decode_variants
from shared.vision.image_limits import ImageLimits, image_limits
from tests.support.broken_images import plain_files
from tests.support.factories import encode, picture

LIMITS = ImageLimits(max_bytes=1_000_000, max_px=1_000_000, min_side_px=8)
ANIMATED = plain_files()["gif animated"]


def decode(data: bytes, **changed: int) -> Callable[[], object]:
    return lambda: decode_image(data, ImageLimits(**asdict(LIMITS) | changed))


def decode_all(data: bytes, **changed: int) -> Callable[[], object]:
    return lambda: list(decode_variants(data, ImageLimits(**asdict(LIMITS) | changed)))


@pytest.mark.parametrize(
    ("act", "code", "setting", "allowed", "got"),
    [
        (decode(encode(picture(1, 40)), max_bytes=100), "image_too_large", "SLEEVE_MAX_IMAGE_BYTES", "100", None),
        (decode(encode(picture(1, 40)), max_px=1599), "image_too_many_pixels", "SLEEVE_MAX_IMAGE_PX", "1,599", "40×40"),
        (decode(encode(picture(1, 40)), min_side_px=41), "image_too_small", "SLEEVE_MIN_IMAGE_SIDE_PX", "41", "40×40"),
        (
            decode_all(ANIMATED, max_frames=1),
            "image_too_many_frames",
            "SLEEVE_MAX_IMAGE_FRAMES",
            "1",
            "2",
        ),
        (
            decode_all(ANIMATED, max_px=4095),
            "image_too_many_pixels",
            "SLEEVE_MAX_IMAGE_PX",
            "4,095",
            "64×64",
        ),
        (
            decode(encode(picture(1, 40)), memory_bytes=1000),
            "image_too_much_memory",
            "SLEEVE_DECODE_MEMORY_BYTES",
            "1,000",
            None,
        ),
    ],
)
def test_a_refusal_names_the_limit_its_setting_and_what_the_file_has(
    act: Callable[[], object], code: str, setting: str, allowed: str, got: str | None
) -> None:
    with pytest.raises(InputError) as caught:
        act()
    assert caught.value.code == code
    [named] = re.findall(r"SLEEVE_\w+", caught.value.message)
    assert named == setting
    assert named.removeprefix("SLEEVE_").lower() in Settings.model_fields
    assert f" {allowed} " in caught.value.message
    assert caught.value.message.endswith(got or "")


def test_frames_together_have_twice_the_pixels_of_one_picture() -> None:
    file = encode(picture(1, 64), "GIF", save_all=True, append_images=[picture(seed, 64) for seed in (2, 3)])
    with pytest.raises(InputError, match=r"in all frames .twice SLEEVE_MAX_IMAGE_PX.") as caught:
        decode_all(file, max_px=64 * 64)()
    assert caught.value.code == "image_too_many_pixels"
    assert decode_all(file, max_px=2 * 64 * 64)()


def test_limits_are_those_of_the_settings() -> None:
    settings = Settings(max_image_bytes=1, max_image_px=2, min_image_side_px=7, max_image_frames=4, decode_memory_bytes=2**28)
    limits = image_limits(settings)
    assert (limits.max_bytes, limits.max_px, limits.min_side_px, limits.max_frames) == (1, 2, 7, 4)
    assert limits.memory_bytes == 2**28
