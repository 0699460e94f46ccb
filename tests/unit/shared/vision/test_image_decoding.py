"""Decoding untrusted bytes: what is refused, with which code, and what comes out of what is accepted."""

from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from shared.errors import InputError
from shared.vision.encoded_image import MAX_SCANS
from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import ImageLimits
from tests.campaigns.bad_images import jpeg_of_scans
from tests.support.factories import encode, picture, png, png_of_size

LIMITS = ImageLimits(max_bytes=1_000_000, max_px=50_000_000, min_side_px=8)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (png(1)[:200], "image_damaged"),
        (png_of_size(10_000, 10_000), "image_too_many_pixels"),
        (png_of_size(60_000, 60_000), "image_too_many_pixels"),
        (b"These are words, not a picture.", "not_an_image"),
        (b"", "not_an_image"),
        (encode(picture(1, 1)), "image_too_small"),
        (encode(picture(1), "PPM"), "image_format_unsupported"),
        (b"\xff\x0a\xfa\x1f\x01", "image_format_unsupported"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 2_000_000, "image_too_large"),
    ],
)
def test_bad_images_are_refused_with_a_code(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        decode_image(data, LIMITS)
    assert caught.value.code == code


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_the_three_formats_are_decoded(kind: str, media_type: str) -> None:
    decoded = decode_image(encode(picture(3, 40), kind), LIMITS)
    assert (decoded.media_type, decoded.width_px, decoded.height_px, decoded.pixels.mode) == (media_type, 40, 40, "RGB")


def test_transparency_is_laid_over_white() -> None:
    clear = Image.new("RGBA", (10, 10), (200, 0, 0, 0))
    assert np.asarray(decode_image(encode(clear), LIMITS).pixels).min() == 255


def test_orientation_is_applied() -> None:
    wide = Image.new("RGB", (20, 10), "white")
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate a quarter turn to show (EXIF 2.32, tag Orientation)
    assert decode_image(encode(wide, "JPEG", exif=exif), LIMITS).pixels.size == (10, 20)


def test_16_bit_grey_keeps_its_levels() -> None:
    levels = np.full((10, 10), 128 * 256, dtype=np.uint16)
    decoded = np.asarray(decode_image(encode(Image.fromarray(levels)), LIMITS).pixels)
    assert set(decoded.reshape(-1).tolist()) == {128}


def test_random_damage_is_an_input_error_or_a_picture_never_anything_else() -> None:
    original = bytearray(png(5))
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(original)
        for at in random.integers(0, len(damaged), size=3):
            damaged[at] = random.integers(0, 256)
        with suppress(InputError):
            assert decode_image(bytes(damaged), LIMITS).pixels.mode == "RGB"


def test_a_jpeg_that_holds_further_pictures_is_a_jpeg() -> None:
    data = encode(picture(3, 40), "MPO", save_all=True, append_images=[picture(4, 40)])
    decoded = decode_image(data, LIMITS)
    assert (decoded.media_type, decoded.pixels.size) == ("image/jpeg", (40, 40))


def test_a_jpeg_of_endless_scans_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(InputError, match="too many scans"):
        decode_image(jpeg_of_scans(64, MAX_SCANS + 1), LIMITS)
    assert decode_image(jpeg_of_scans(64, MAX_SCANS), LIMITS).pixels.size == (64, 64)
    # The same bytes behind the end of the image are nothing to a decoder.
    motion = encode(picture(3, 40), "JPEG") + bytes.fromhex("ffda00020000") * 1000
    assert decode_image(motion, LIMITS).media_type == "image/jpeg"


def test_a_file_of_endless_blocks_is_refused() -> None:
    small = encode(picture(3, 40), "JPEG")
    with pytest.raises(InputError, match="too many blocks"):
        decode_image(small[:2] + bytes.fromhex("ffe50002") * 200_000 + small[2:], LIMITS)
