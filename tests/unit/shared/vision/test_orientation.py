"""The orientation that metadata state, of all writers and of those that mean harm."""

import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import ImageLimits
from shared.vision.orientation import find_turn, read_orientation
from tests.support.broken_images import png_chunk
from tests.support.factories import encode, picture

LIMITS = ImageLimits(max_bytes=20 * 2**20, max_px=50_000_000, min_side_px=8)


def exif(order: str, kind: int, value: int) -> bytes:
    """An EXIF block of one field."""
    start = {"<": b"II*\0", ">": b"MM\0*"}[order]
    padded = struct.pack(f"{order}{ {1: 'B3x', 3: 'H2x', 4: 'I'}[kind] }", value)
    return start + struct.pack(f"{order}IHHHI", 8, 1, 0x0112, kind, 1) + padded + bytes(4)


def overlapping_exif(size: int) -> bytes:
    """A block of 65,535 fields that all hold the same bytes."""
    fields = b"".join(struct.pack("<HHII", tag, 7, size - 1000, 8) for tag in range(65_535))
    return (b"II*\0" + struct.pack("<IH", 8, 65_535) + fields).ljust(size, b"\0")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [1, 3, 4])
def test_the_field_is_read_of_every_type_and_order(order: str, kind: int) -> None:
    assert read_orientation(exif(order, kind, 8)) == 8
    assert read_orientation(b"Exif\0\0" + exif(order, kind, 3)) == 3


@pytest.mark.parametrize("block", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", exif("<", 3, 6)[:20], b"words that are no block"])
def test_what_cannot_be_read_states_nothing(block: bytes) -> None:
    assert read_orientation(block) is None
    assert find_turn({"exif": block}) is None


def test_exif_goes_before_xmp_and_xmp_before_nothing() -> None:
    xmp = b'<x tiff:Orientation="3"/>'
    assert find_turn({"xmp": xmp}) == Image.Transpose.ROTATE_180
    assert find_turn({"exif": exif("<", 3, 6), "xmp": xmp}) == Image.Transpose.ROTATE_270
    assert find_turn({}) is None


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_format_is_turned_the_same(kind: str, orientation: int) -> None:
    corner = Image.new("RGB", (40, 24), "white")
    corner.paste("black", (0, 0, 12, 8))
    tags = Image.Exif()
    tags[0x0112] = orientation
    options = {"quality": 95} if kind in {"JPEG", "AVIF"} else {"lossless": True} if kind == "WEBP" else {}
    upright = decode_image(encode(corner, kind, exif=tags, **options), LIMITS).pixels
    expected = corner if (turn := find_turn({"exif": exif("<", 3, orientation)})) is None else corner.transpose(turn)
    assert upright.size == expected.size
    assert np.abs(np.asarray(upright, dtype=int) - np.asarray(expected, dtype=int)).mean() < 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_block_whose_fields_overlap_takes_no_memory(kind: str) -> None:
    block, data = overlapping_exif(1_000_000), encode(picture(1, 64), kind)
    if kind == "PNG":
        data = data[:33] + png_chunk(b"eXIf", block) + data[33:]
    elif kind == "JPEG":
        parts = [b"Exif\0\0" + block[at : at + 60_000] for at in range(0, len(block), 60_000)]
        data = data[:2] + b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in parts) + data[20:]
    else:
        data = encode(picture(1, 64), kind, exif=b"Exif\0\0" + block)
    tracemalloc.start()
    try:
        assert decode_image(data, LIMITS).pixels.size == (64, 64)
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()
