"""Formats by content: every format that is read, those that are refused by name, and what is no picture."""

import pytest

from shared.vision.image_formats import READ_FORMATS, READ_NAMES, recognise_image
from tests.support.factories import encode, picture


@pytest.mark.parametrize("image_format", READ_FORMATS, ids=lambda image_format: image_format.name)
def test_every_format_that_is_read_is_recognised(image_format: object) -> None:
    decoder = getattr(image_format, "decoder", "")
    assert recognise_image(encode(picture(1, 40), decoder)) == image_format
    assert getattr(image_format, "name", "") in READ_NAMES


def test_a_jpeg_of_several_pictures_is_a_jpeg() -> None:
    data = encode(picture(1, 40), "MPO", save_all=True, append_images=[picture(2, 40)])
    recognised = recognise_image(data)
    assert recognised is not None
    assert recognised.media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf", "AVIF"),
        (b"\x00\x00\x00\x14ftypmif1\x00\x00\x00\x00mif1", "HEIC"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom", "camera raw"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51\x00", "JPEG 2000"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\x00\x01", "Photoshop"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"P6\n# made\n3 3\n255\n", "Netpbm"),
        (b"II+\x00\x08\x00\x00\x00", "TIFF"),
    ],
)
def test_other_formats_are_known_by_name(head: bytes, name: str) -> None:
    recognised = recognise_image(head)
    assert recognised is not None
    assert recognised.name == name


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BM is how this note begins, and no bitmap.",
        b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isom",
        b"RIFF....WAVE",
        b"<html>",
    ],
)
def test_what_is_no_picture_is_none(data: bytes) -> None:
    assert recognise_image(data) is None
