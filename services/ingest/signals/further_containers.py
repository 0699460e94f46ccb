"""Metadata of GIF, TIFF, BMP and AVIF files, found by their signatures wherever they lie.

These formats keep metadata in parts of their own kinds, but each part is in one piece. XMP may be looked for in files of any
format by its packets (XMP Part 1 section 7.3.2, "packet scanning"), and so may Photoshop resources and C2PA's boxes.

Rules, in order:

1. At most a few parts of each kind are taken; each search goes through the file once.
2. A C2PA store in a GIF is put together from its sub-blocks; elsewhere it is one box.
3. A TIFF keeps IPTC-IIM in Photoshop's resources, or by itself in a field of its first directory.
4. Where an AVIF keeps its EXIF, its decoder tells, which decodes nothing for that.

Source: TIFF 6.0 section 2; XMP Part 3 section 3.3.1 for the field of IPTC-IIM.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO

from PIL import Image

from shared.vision.encoded_image import silence_pillow
from shared.vision.image_formats import AVIF, BMP, GIF, TIFF, ImageFormat, recognise_image

FORMATS = (GIF, TIFF, BMP, AVIF)
MAX_PARTS = 20
# The packet's own element, and what stands in it where a writer leaves that out.
_XMP_ELEMENTS = ((b"<x:xmpmeta", b"</x:xmpmeta>"), (b"<rdf:RDF", b"</rdf:RDF>"))
# Photoshop's resource of IPTC-IIM, and how much after its begin may belong to it and those behind it.
_IIM_RESOURCE, _MAX_RESOURCES_BYTES = b"8BIM\x04\x04", 2**17
# Bytes of a value by its type: bytes, ASCII, shorts, longs, undefined; writers declare this field as either of them.
_IIM_FIELD, _TYPE_BYTES = 33723, {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}
_IIM_MARKER = 0x1C
_EXIF_PREFIX = b"Exif\x00\x00"
_C2PA_IN_GIF = b"\x21\xff\x0bC2PA_GIF"
_JUMBF = b"jumb"


@dataclass
class FurtherMetadata:
    """What was found: format, XMP packets, EXIF blocks, Photoshop resources, and C2PA stores."""

    image_format: ImageFormat
    xmp: list[bytes] = field(default_factory=list)
    exif: list[bytes] = field(default_factory=list)
    photoshop: list[bytes] = field(default_factory=list)
    c2pa: list[bytes] = field(default_factory=list)


def find_further_metadata(data: bytes) -> FurtherMetadata | None:
    """Take the metadata out of a GIF, TIFF, BMP or AVIF; None for files of other formats."""
    image_format = recognise_image(data)
    if image_format not in FORMATS or image_format is None:
        return None
    metadata = FurtherMetadata(image_format)
    metadata.xmp = next((packets for tags in _XMP_ELEMENTS if (packets := list(_between(data, *tags)))), [])
    if image_format == TIFF:
        metadata.exif = [data]  # A TIFF is itself what EXIF blocks are in other formats.
        at = data.find(_IIM_RESOURCE)
        metadata.photoshop = [data[at : at + _MAX_RESOURCES_BYTES]] if at >= 0 else []
        if datasets := _find_datasets(data):
            metadata.photoshop.append(_as_resource(datasets))
    if image_format == AVIF and (block := _find_exif(data)):
        metadata.exif = [block]
    store = _join_sub_blocks(data) if image_format == GIF else _find_store(data)
    metadata.c2pa = [store] if store else []
    return metadata


def _between(data: bytes, begin: bytes, end: bytes) -> Iterator[bytes]:
    stop = 0
    for _ in range(MAX_PARTS):
        start = data.find(begin, stop)
        stop = data.find(end, start) if start >= 0 else -1
        if stop < 0:
            return
        stop += len(end)
        yield data[start:stop]


def _find_datasets(data: bytes) -> bytes:
    """Return the IPTC-IIM datasets in a field of a TIFF's first directory; empty where there is none."""
    order = "<" if data.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, values, place = struct.unpack_from(f"{order}HHII", data, at)
            if tag == _IIM_FIELD and kind in _TYPE_BYTES:
                length = min(values * _TYPE_BYTES[kind], _MAX_RESOURCES_BYTES)
                block = data[place : place + length]
                return _in_order(block, _TYPE_BYTES[kind])
    except struct.error:
        return b""
    return b""


def _in_order(block: bytes, unit: int) -> bytes:
    """Turn the bytes of each unit where a writer swapped them with the units that it declared."""
    if block[:1] == bytes([_IIM_MARKER]) or unit == 1:
        return block
    return b"".join(block[at : at + unit][::-1] for at in range(0, len(block), unit))


def _as_resource(datasets: bytes) -> bytes:
    return _IIM_RESOURCE + bytes(2) + len(datasets).to_bytes(4) + datasets


def _find_exif(data: bytes) -> bytes:
    silence_pillow()
    try:
        block = Image.open(BytesIO(data), formats=(AVIF.decoder or "",)).info.get("exif", b"")
    except Exception:  # Pillow states no list of what it raises of damaged files; such a file is refused when it is decoded.
        return b""
    return bytes(block).removeprefix(_EXIF_PREFIX)


def _find_store(data: bytes) -> bytes:
    """Return the first JUMBF superbox (ISO/IEC 19566-5) that is C2PA's."""
    at = data.find(_JUMBF)
    if at < 4 or b"c2pa" not in data[at : at + 64]:
        return b""
    return data[at - 4 : at - 4 + int.from_bytes(data[at - 4 : at])]


def _join_sub_blocks(data: bytes) -> bytes:
    at = data.find(_C2PA_IN_GIF)
    if at < 0:
        return b""
    at += 14
    parts = []
    while at < len(data) and data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(parts)
