"""The chunks of a PNG: checked one by one, and those left out that have no part in the picture.

Rules, in order:

1. What makes the picture (critical chunks, transparency, animation) has to be whole: CRCs hold, IHDR comes first, a palette
   picture has its palette, IEND ends the file. Nothing is repaired.
2. Everything else is left out before the decoder sees the file, of any size and with any CRC: texts, colour profiles, times.
3. Two places may say how the picture is turned, EXIF and XMP, so these stay where they are whole and no larger than 1 MiB.

Source: PNG (W3C, third edition) sections 5, 11 and 13.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from shared.vision.file_structure.damage import damaged

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# A PNG of 100 MB in the usual blocks of 8 kB has 12,800 chunks.
MAX_CHUNKS = 66_000
MAX_METADATA_BYTES = 2**20
# Of each of these a file has one at most.
_SINGLE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"acTL", b"IEND"})
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})
# Keywords of text chunks that may hold the orientation: XMP (Part 3, section 1.1.5), and ImageMagick's copy of EXIF.
_ORIENTATION_TEXTS = (b"XML:com.adobe.xmp\x00", b"Raw profile type exif\x00")
_PALETTE_COLOUR = 3


@dataclass(frozen=True)
class _Chunk:
    kind: bytes
    start: int
    stop: int
    is_intact: bool


def check_png(data: bytes) -> bytes:
    """Check the chunks of a PNG and return the file without those that have no part in the picture.

    Args:
        data: the encoded file, beginning with the signature.

    Raises:
        InputError: a chunk that makes the picture is missing, doubled, damaged or out of place.
    """
    picture = [chunk for chunk in _read_chunks(data) if _has_part(data, chunk)]
    _check_order(data, [chunk.kind for chunk in picture], picture)
    if not any(chunk.kind == b"acTL" for chunk in picture):
        picture = [chunk for chunk in picture if chunk.kind not in _ANIMATION]
    view = memoryview(data)
    return SIGNATURE + b"".join(view[chunk.start - 8 : chunk.stop + 4] for chunk in picture)


def _read_chunks(data: bytes) -> Iterator[_Chunk]:
    at, view = len(SIGNATURE), memoryview(data)
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            raise damaged("the file ends before its IEND chunk")
        length, kind = struct.unpack_from(">I4s", data, at)
        start, stop = at + 8, at + 8 + length
        if stop + 4 > len(data):
            raise damaged(f"the file ends within its {_name(kind)} chunk")
        is_intact = zlib.crc32(view[at + 4 : stop]) == int.from_bytes(view[stop : stop + 4])
        yield _Chunk(kind, start, stop, is_intact)
        if kind == b"IEND":
            return
        at = stop + 4
    raise damaged(f"too many blocks, expected at most {MAX_CHUNKS:,} chunks")


def _has_part(data: bytes, chunk: _Chunk) -> bool:
    """Say whether a chunk has a part in the picture (rules 1 to 3).

    Raises:
        InputError: it has, and is damaged or unknown.
    """
    if chunk.kind in _CRITICAL | _ANIMATION | {b"tRNS"}:
        if not chunk.is_intact:
            raise damaged(f"the CRC of its {_name(chunk.kind)} chunk does not hold")
        return True
    if chunk.kind[:1].isupper() or not chunk.kind.isalpha():  # Section 5.4: critical, and nobody knows it.
        raise damaged(f"unknown critical chunk {_name(chunk.kind)}")
    if not chunk.is_intact or chunk.stop - chunk.start > MAX_METADATA_BYTES:
        return False
    if chunk.kind == b"eXIf":
        return True
    return (
        chunk.kind in {b"iTXt", b"zTXt", b"tEXt"}
        and data.startswith(_ORIENTATION_TEXTS, chunk.start)
        and _is_short(data, chunk)
    )


def _is_short(data: bytes, chunk: _Chunk) -> bool:
    """Say whether a text is short once it is decompressed."""
    text = data[chunk.start : chunk.stop].partition(b"\x00")[2]
    if chunk.kind == b"tEXt" or (chunk.kind == b"iTXt" and text[:1] != b"\x01"):
        return True
    compressed = text[1:] if chunk.kind == b"zTXt" else text[2:].split(b"\x00", 2)[-1]
    decompressor = zlib.decompressobj()
    try:
        decompressor.decompress(compressed, MAX_METADATA_BYTES)
    except zlib.error:
        return False
    return not decompressor.unconsumed_tail


def _check_order(data: bytes, kinds: list[bytes], chunks: list[_Chunk]) -> None:
    if kinds[0] != b"IHDR" or chunks[0].stop - chunks[0].start != 13:
        raise damaged("expected an IHDR chunk of 13 bytes first")
    doubled = next((kind for kind in _SINGLE if kinds.count(kind) > 1), None)
    if doubled:
        raise damaged(f"it has more than one {_name(doubled)} chunk")
    if b"IDAT" not in kinds:
        raise damaged("it has no IDAT chunk")
    first_data = kinds.index(b"IDAT")
    late = next((kind for kind in (b"PLTE", b"tRNS", b"acTL") if kind in kinds[first_data:]), None)
    if late:
        raise damaged(f"its {_name(late)} chunk comes after the picture")
    colour = data[chunks[0].start + 9]
    palette = next((chunk for chunk in chunks if chunk.kind == b"PLTE"), None)
    if colour == _PALETTE_COLOUR and palette is None:
        raise damaged("a palette picture without a PLTE chunk")
    if palette is not None and not _is_palette(palette.stop - palette.start):
        raise damaged("its PLTE chunk has no valid length")
    _check_frames(data, kinds, chunks)


def _is_palette(length: int) -> bool:
    return 0 < length <= 256 * 3 and length % 3 == 0


def _check_frames(data: bytes, kinds: list[bytes], chunks: list[_Chunk]) -> None:
    """Refuse an animation that has another number of frames than it states: which are shown would depend on the viewer."""
    control = next((chunk for chunk in chunks if chunk.kind == b"acTL"), None)
    if control is None:
        return
    stated = int.from_bytes(data[control.start : control.start + 4])
    if control.stop - control.start != 8 or stated != kinds.count(b"fcTL"):
        raise damaged(f"its acTL chunk states {stated:,} frames, it has {kinds.count(b'fcTL'):,}")


def _name(kind: bytes) -> str:
    return repr(kind.decode("latin-1"))[1:-1]
