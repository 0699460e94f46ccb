"""Files of strange structure are pictures or `InputError`s with a code, never anything else; what was cut off is refused."""

import warnings
from collections import Counter
from collections.abc import Callable

import pytest

from shared.errors import InputError
from shared.vision.image_decoding import decode_image, decode_variants
from shared.vision.image_limits import ImageLimits
from tests.support.broken_images import broken_files, palette_without_colours, plain_files, truncated_files

LIMITS = ImageLimits(max_bytes=1_000_000, max_px=5_000_000, min_side_px=8)
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


def test_a_palette_picture_without_a_palette_is_damaged() -> None:
    assert len(palette_without_colours()) <= 84
    with pytest.raises(InputError, match="PLTE") as caught:
        decode_image(palette_without_colours(), LIMITS)
    assert caught.value.code == "image_damaged"


@pytest.mark.parametrize("name", plain_files())
def test_good_files_of_each_format_are_read(name: str) -> None:
    image = decode_image(plain_files()[name], LIMITS)
    assert (image.pixels.mode, image.pixels.size, image.width_px) == ("RGB", (64, 64), 64)
    kind = {"apng": "png", "mpo": "jpeg"}.get(name, name.split(maxsplit=1)[0])
    assert image.media_type == f"image/{kind}"


def _decode_first(data: bytes) -> str:
    assert decode_image(data, LIMITS).pixels.mode == "RGB"
    return "read"


def _decode_all(data: bytes) -> str:
    assert all(variant.pixels.mode == "RGB" for variant in decode_variants(data, LIMITS))
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
        decode_image(data, LIMITS)
    assert caught.value.code == "image_damaged", name
