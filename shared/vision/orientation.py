"""How a picture is to be turned so that it is upright, as its metadata state.

Rules, in order:

1. EXIF goes before XMP. What cannot be read states nothing.
2. Of an EXIF block only this field is read. Pillow loads every field, and fields may all point at the same bytes: a block of
   1 MiB would take 13 GB.

Source: EXIF 2.32 (CIPA DC-008) section 4.5 and tag 0x0112 Orientation; TIFF 6.0 section 2; XMP Part 2, `tiff:Orientation`.
"""

import re
import struct
from typing import Any

from PIL import Image

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')
# Types that writers give the field: BYTE, SHORT and LONG, with their struct codes.
_TYPES = {1: "B", 3: "H", 4: "I"}
_PREFIX = b"Exif\x00\x00"


def find_turn(info: dict[str | tuple[int, int], Any], exif: bytes | None = None) -> Image.Transpose | None:
    """Return how to turn a picture, or None where it is upright or nothing is stated.

    Args:
        info: what Pillow's decoder found in the file beside the picture.
        exif: the EXIF block where it was taken out before.
    """
    block = exif or info.get("exif") or _from_text(info.get("Raw profile type exif"))
    stated = read_orientation(block) if isinstance(block, bytes) else None
    if stated is None:
        xmp = info.get("XML:com.adobe.xmp") or info.get("xmp") or b""
        match = _XMP.search(xmp.encode() if isinstance(xmp, str) else xmp)
        stated = int(match[1]) if match else None
    return None if stated is None else _UPRIGHT.get(stated)


def _from_text(text: object) -> bytes | None:
    """Return the EXIF block that ImageMagick writes as hexadecimal text below three lines."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:])) if isinstance(text, str) else None
    except ValueError:
        return None


def read_orientation(block: bytes) -> int | None:
    """Return the orientation that an EXIF block states.

    Args:
        block: with or without the prefix that JPEG has before it; any content.

    Returns:
        The stated number, 1 to 8 where it means something; None where the block states none or cannot be read.

    >>> read_orientation(bytes.fromhex("49492a00080000000100 120103000100000006000000 00000000"))
    6
    """
    block = block.removeprefix(_PREFIX)
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return None
    (start,) = struct.unpack_from(f"{order}I", block, 4)
    if start + 2 > len(block):
        return None
    (count,) = struct.unpack_from(f"{order}H", block, start)
    for at in range(start + 2, min(start + 2 + 12 * count, len(block) - 11), 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", block, at)
        if tag == _ORIENTATION and kind in _TYPES and values == 1:
            return int(struct.unpack_from(f"{order}{_TYPES[kind]}", block, at + 8)[0])
    return None


def has_overlapping_fields(block: bytes) -> bool:
    """Say whether the fields of an EXIF block or a TIFF state more bytes than four times as many as there are.

    >>> has_overlapping_fields(bytes.fromhex("49492a00080000000100 120103000100000006000000 00000000"))
    False
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return False
    (start,) = struct.unpack_from(f"{order}I", block, 4)
    if start + 2 > len(block):
        return False
    (count,) = struct.unpack_from(f"{order}H", block, start)
    places = range(start + 2, min(start + 2 + 12 * count, len(block) - 11), 12)
    # No type is longer than 8 bytes, and no field than the block.
    stated = (min(8 * struct.unpack_from(f"{order}I", block, at + 4)[0], len(block)) for at in places)
    return int(sum(stated)) > 4 * len(block) + 2**16
