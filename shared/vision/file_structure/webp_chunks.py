"""The chunks of a WebP: the stated lengths have to agree with the file, and its canvas is told before anything is decoded.

Rules, in order:

1. The RIFF header's length is the file's, or the file has more bytes after it that are no further chunk.
2. The chunks fill that length exactly; a chunk that reaches beyond it is cut off.
3. At least one chunk holds a picture.

Source: RFC 9649 section 2.
"""

import struct

from shared.vision.file_structure.damage import damaged

MAX_CHUNKS = 100_000
_PICTURES = frozenset({b"VP8 ", b"VP8L", b"ANMF"})
_KNOWN = _PICTURES | {b"VP8X", b"ALPH", b"ANIM", b"ICCP", b"EXIF", b"XMP "}  # codespell:ignore alph


def check_webp(data: bytes) -> tuple[int, int]:
    """Check the chunks of a WebP.

    Args:
        data: the encoded file, beginning with RIFF and WEBP.

    Returns:
        Width and height of its canvas; zeros where the first chunk does not tell.

    Raises:
        InputError: the lengths do not agree with the file, or it holds no picture.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    # A last chunk of odd length is padded; some writers count that byte and leave it out.
    if end > len(data) + 1:
        raise damaged(f"its RIFF header states {end:,} bytes, the file has {len(data):,}")
    if data[end : end + 4] in _KNOWN or data[end + 1 : end + 5] in _KNOWN:
        raise damaged("its RIFF header ends before its last chunk")
    at = 12
    kinds: list[bytes] = []
    while at < min(end, len(data)):
        if at + 8 > min(end, len(data)) or len(kinds) == MAX_CHUNKS:
            raise damaged("too many chunks" if len(kinds) == MAX_CHUNKS else "it ends within the header of a chunk")
        kind, length = struct.unpack_from("<4sI", data, at)
        kinds.append(kind)
        if at + 8 + length > min(end, len(data)):
            raise damaged("it ends within a chunk")
        at += 8 + length + length % 2
    if _PICTURES.isdisjoint(kinds):
        raise damaged("it has no chunk with a picture")
    return _canvas(data)


def _canvas(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8 " and len(data) >= 30:
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    if kind == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return 0, 0
