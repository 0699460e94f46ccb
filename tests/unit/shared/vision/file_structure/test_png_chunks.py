"""Chunks of a PNG that have no part in the picture cost it nothing; those that have are named where they are damaged."""

import io
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from shared.errors import InputError
from shared.vision.file_structure.png_chunks import check_png
from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import ImageLimits
from tests.support.broken_images import PNG_START, png_chunk
from tests.support.factories import encode, picture

LIMITS = ImageLimits(max_bytes=50_000_000, max_px=5_000_000, min_side_px=8)
PLAIN = encode(picture(1, 64))
HEADER_END = len(PNG_START) + 25
WORKFLOW = json.dumps({"nodes": [{"id": number, "text": os.urandom(12).hex()} for number in range(30_000)]}).encode()
CASES = Path(__file__).parents[6] / "shared" / "cases"


def with_chunk(kind: bytes, data: bytes, *, crc_holds: bool = True) -> bytes:
    """The plain picture with one more chunk behind its header."""
    chunk = png_chunk(kind, data)
    if not crc_holds:
        chunk = chunk[:-4] + struct.pack(">I", int.from_bytes(chunk[-4:]) ^ 1)
    return PLAIN[:HEADER_END] + chunk + PLAIN[HEADER_END:]


def itxt(keyword: bytes, text: bytes, *, compressed: bool) -> bytes:
    """An iTXt chunk's data (section 11.3.3.4)."""
    return keyword + b"\0" + bytes([compressed, 0]) + b"\0\0" + (zlib.compress(text) if compressed else text)


def assert_same_picture(data: bytes) -> None:
    """The picture is read, exactly as without the chunk, and the decoder never sees the chunk."""
    assert check_png(data) == PLAIN
    decoded = decode_image(data, LIMITS)
    assert np.array_equal(np.asarray(decoded.pixels), np.asarray(picture(1, 64)))
    assert (decoded.media_type, decoded.width_px) == ("image/png", 64)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_workflow_of_megabytes_costs_the_picture_nothing(compressed: bool) -> None:
    assert len(WORKFLOW) > 1_500_000
    data = with_chunk(b"iTXt", itxt(b"workflow", WORKFLOW, compressed=compressed))
    if compressed:  # What Pillow says of it, which was once our answer too.
        with pytest.raises(ValueError, match="Decompressed data too large"):
            Image.open(io.BytesIO(data)).load()
    assert_same_picture(data)


def test_a_workflow_as_it_was_found_in_the_field_is_read() -> None:
    path = CASES / "workflow_itxt.png"
    if not path.exists():
        pytest.skip("the field cases are not here")
    assert decode_image(path.read_bytes(), LIMITS).pixels.mode == "RGB"


def test_a_colour_profile_of_any_size_is_left_out() -> None:
    profile = os.urandom(8_000_000)
    data = with_chunk(b"iCCP", b"printer\0\0" + zlib.compress(profile, 1))
    with pytest.raises(ValueError, match="Decompressed data too large"):
        Image.open(io.BytesIO(data)).load()
    assert_same_picture(data)
    assert_same_picture(with_chunk(b"iCCP", b"bomb\0\0" + zlib.compress(bytes(100_000_000), 9)))
    assert_same_picture(with_chunk(b"iCCP", b"no profile at all"))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"tEXt", b"parameters\0a cat"),
        (b"iTXt", itxt(b"workflow", b"{}", compressed=False)),
        (b"zTXt", b"prompt\0\0" + zlib.compress(b"a cat")),
        (b"tEXt", b"Raw profile type exif\0not hexadecimal"),
        (b"iTXt", itxt(b"XML:com.adobe.xmp", b"<x:xmpmeta>", compressed=False)),
        (b"iCCP", b"profile\0\0" + zlib.compress(b"x")),
        (b"tIME", bytes(7)),
        (b"eXIf", b"II*\0\x08\0\0\0\0\0"),
    ],
)
def test_a_chunk_beside_the_picture_may_have_a_bad_crc(kind: bytes, data: bytes) -> None:
    damaged = with_chunk(kind, data, crc_holds=False)
    with pytest.raises(UnidentifiedImageError):  # what Pillow says of it
        Image.open(io.BytesIO(damaged), formats=("PNG",))
    assert_same_picture(damaged)


def test_a_bad_crc_of_the_picture_itself_is_refused_by_the_chunks_name() -> None:
    palette = encode(picture(1, 64).quantize(16), transparency=0)
    for kind, data in ((b"IHDR", PLAIN), (b"IDAT", PLAIN), (b"IEND", PLAIN), (b"PLTE", palette), (b"tRNS", palette)):
        at = data.index(kind)
        length = int.from_bytes(data[at - 4 : at])
        changed = bytearray(data)
        changed[at + 4 + length] ^= 1
        with pytest.raises(InputError, match=f"the CRC of its {kind.decode()} chunk does not hold") as caught:
            decode_image(bytes(changed), LIMITS)
        assert caught.value.code == "image_damaged"


def test_texts_that_may_hold_the_orientation_stay_and_are_bounded_by_themselves() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    xmp += b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    wide = encode(picture(1, 64).resize((64, 32)))
    turned = wide[:HEADER_END] + png_chunk(b"iTXt", itxt(b"XML:com.adobe.xmp", xmp, compressed=True)) + wide[HEADER_END:]
    assert check_png(turned) == turned
    assert decode_image(turned, LIMITS).pixels.size == (32, 64)
    assert_same_picture(with_chunk(b"iTXt", itxt(b"XML:com.adobe.xmp", bytes(2_000_000), compressed=True)))
