"""IPTC-IIM datasets inside the Photoshop resources of a JPEG or TIFF.

Rules, in order:

1. A length in the block is only followed, never trusted: what is cut short ends the reading, quietly, with what was found.
2. Texts are UTF-8 where they decode as such, else Latin-1, whatever the coded character set says: writers often get it wrong.

Source: IPTC-NAA Information Interchange Model 4.2 sections 1.5 and 6; Adobe Photoshop File Formats, Image Resource Blocks.
"""

import struct
from collections.abc import Iterator

_RESOURCE = b"8BIM"
# Image resource 1028: the IPTC-NAA record.
_IPTC_RESOURCE_ID = 0x0404
# IIM section 1.5: each dataset begins with this; two bytes name record and dataset, two give the length.
_TAG_MARKER = 0x1C
_HEADER_BYTES = 5


def read_datasets(photoshop: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield record number, dataset number and text of the IPTC datasets in a Photoshop resource block.

    Args:
        photoshop: the block, without the prefix that names it in a JPEG segment.
    """
    for resource_id, content in _resources(photoshop):
        if resource_id == _IPTC_RESOURCE_ID:
            yield from _datasets(content)


def _resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while block.startswith(_RESOURCE, at) and at + 12 <= len(block):
        (resource_id,) = struct.unpack_from(">H", block, at + 4)
        # The name's length byte and text, padded together to an even number of bytes.
        name_bytes = 1 + block[at + 6]
        start = at + 6 + name_bytes + name_bytes % 2 + 4
        length = int.from_bytes(block[start - 4 : start])
        yield resource_id, block[start : start + length]
        at = start + length + length % 2


def _datasets(content: bytes) -> Iterator[tuple[int, int, str]]:
    at = 0
    while at + _HEADER_BYTES <= len(content) and content[at] == _TAG_MARKER:
        record, dataset, length = struct.unpack_from(">BBH", content, at + 1)
        if length & 0x8000:
            return  # An extended dataset, longer than any text: section 1.5 allows it for objects.
        text = content[at + _HEADER_BYTES : at + _HEADER_BYTES + length]
        yield record, dataset, _decode(text)
        at += _HEADER_BYTES + length


def _decode(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
