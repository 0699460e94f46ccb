"""Decoding untrusted bytes: what is refused, with which code, and what comes out of what is accepted."""

import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from shared.errors import InputError
from shared.vision.encoded_image import MAX_SCANS
from shared.vision.image_decoding import decode_image, decode_variants
from shared.vision.image_limits import ImageLimits
from tests.campaigns.bad_images import jpeg_of_scans
from tests.support.broken_images import broken_files, palette_without_colours, plain_files, truncated_files
from tests.support.factories import encode, picture, png, png_of_size

LIMITS = ImageLimits(max_bytes=1_000_000, max_px=50_000_000, min_side_px=8)
STRICT_LIMITS = replace(LIMITS, max_px=5_000_000)
# What a file of strange structure may become: read, or refused for one of these reasons.
CODES = {
    "read",
    "image_damaged",
    "image_too_large",
    "image_too_many_pixels",
    "image_too_many_frames",
    "image_too_small",
    "image_too_much_memory",
    "not_an_image",
    "image_format_unsupported",
}


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


def test_a_palette_picture_without_a_palette_is_damaged() -> None:
    assert len(palette_without_colours()) <= 84
    with pytest.raises(InputError, match="PLTE") as caught:
        decode_image(palette_without_colours(), STRICT_LIMITS)
    assert caught.value.code == "image_damaged"


@pytest.mark.parametrize("name", plain_files())
def test_good_files_of_each_format_are_read(name: str) -> None:
    image = decode_image(plain_files()[name], STRICT_LIMITS)
    assert (image.pixels.mode, image.pixels.size, image.width_px) == ("RGB", (64, 64), 64)
    kind = {"apng": "png", "mpo": "jpeg"}.get(name, name.split(maxsplit=1)[0])
    assert image.media_type == f"image/{kind}"


def _decode_first(data: bytes) -> str:
    assert decode_image(data, STRICT_LIMITS).pixels.mode == "RGB"
    return "read"


def _decode_all(data: bytes) -> str:
    assert all(variant.pixels.mode == "RGB" for variant in decode_variants(data, STRICT_LIMITS))
    return "read"


def _outcome(decode: Callable[[bytes], str], data: bytes) -> str:
    try:
        return decode(data)
    except InputError as error:
        return error.code


def test_broken_structure_is_an_input_error_and_no_warning_leaks(capfd: pytest.CaptureFixture[str]) -> None:
    outcomes: Counter[str] = Counter()
    with warnings.catch_warnings(record=True) as shown:
        for name, data in broken_files():
            for decode in (_decode_first, _decode_all):
                outcome = _outcome(decode, data)
                assert outcome in CODES, name
                outcomes[outcome] += 1
    assert not shown
    assert capfd.readouterr() == ("", "")
    assert outcomes["read"] > 100
    assert outcomes["image_damaged"] > 300


@pytest.mark.parametrize(("name", "data"), list(truncated_files()))
def test_what_was_cut_off_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        decode_image(data, STRICT_LIMITS)
    assert caught.value.code == "image_damaged", name
