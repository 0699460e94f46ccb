"""The scans of a JPEG: counted without decoding, and whether they make the whole picture.

A progressive file may have any number of scans, each of a few bytes, and a decoder passes over the whole picture for each of
them. 300,000 scans fit into 20 MB and take most of an hour. A decoder also fills in what scans lack, in silence.

Rules, in order:

1. Markers are followed as a decoder follows them: a segment is skipped by its stated length.
2. Within a scan, only a marker that is neither a stuffed zero nor a restart ends it.
3. What comes after the end of the image is not read. A file without that end was cut off.
4. Every component has its scans, and a progressive picture refines each of its frequencies to the last bit.

Source: JPEG (ITU-T T.81) annex B.1.1, tables B.1 and B.3, and annex G.
"""

import re
from dataclasses import dataclass, field

from shared.vision.file_structure.damage import damaged

# Segments of 64 kB each; 20 MiB in full ones are 320.
MAX_SEGMENTS = 100_000
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_APP1, _EXIF = 0xE1, b"Exif\x00\x00"
# One segment holds 64 kB; Pillow joins several.
MAX_EXIF_BYTES = 2**20
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Table B.1: markers that stand alone: TEM, SOI.
_BARE = frozenset({0x01, 0xD8})
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, frozenset({0xC2, 0xCA})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass
class JpegScans:
    """What the markers of a JPEG say.

    Attributes:
        count: scans.
        ends: where each scan's data end.
        end: where the end of the image is; None where the file has none.
        frame: the marker of its frame header.
        in_one_scan: whether the first scan holds all components.
        exif: its EXIF block, of all segments that hold it.
        exif_starts: where each of these begins.
        missing_bits: of each component, by its id, how many bits each frequency lacks; -1 where no scan has it.
    """

    count: int = 0
    ends: list[int] = field(default_factory=list)
    end: int | None = None
    frame: int = 0
    in_one_scan: bool = False
    exif: bytes = b""
    exif_starts: list[int] = field(default_factory=list)
    missing_bits: dict[int, list[int]] = field(default_factory=dict)

    @property
    def is_single(self) -> bool:
        """Whether one scan, Huffman-coded, holds the whole picture."""
        return self.count == 1 and self.in_one_scan and self.frame in {_BASELINE, _EXTENDED}

    @property
    def is_complete(self) -> bool:
        """Whether every component has its scans, and each frequency its last bit."""
        needed = slice(0, 64) if self.frame in _PROGRESSIVE else slice(0, 1)
        return bool(self.missing_bits) and all(not any(bits[needed]) for bits in self.missing_bits.values())


def read_scans(data: bytes, most: int) -> JpegScans:
    """Read the markers of a JPEG.

    Args:
        data: the encoded file, of any content.
        most: how many scans are allowed, at least 0; reading ends behind one more.

    Raises:
        InputError: it has too many segments.

    >>> scan = bytes.fromhex("ffda 0002 00")
    >>> read_scans(bytes.fromhex("ffd8") + scan * 3, 2).count, read_scans(bytes.fromhex("ffd8") + scan * 2 + b"x", 2).end
    (3, None)
    """
    scans, position, in_scan = JpegScans(), 0, False
    for _ in range(MAX_SEGMENTS):
        match = _MARKER.search(data, position)
        if match is None:
            return scans
        position, marker = match.end(), match[1][0]
        if in_scan:
            scans.ends.append(match.start())
            in_scan = False
        if marker == _END_OF_IMAGE:
            scans.end = match.start()
            return scans
        if marker in _BARE:
            continue
        segment = data[position + 2 : position + max(2, int.from_bytes(data[position : position + 2]))]
        if marker == _APP1 and segment.startswith(_EXIF):
            scans.exif += segment[len(_EXIF) :] if len(scans.exif) < MAX_EXIF_BYTES else b""
            scans.exif_starts.append(position + 2)
        if marker in _FRAMES:
            scans.frame = marker
            scans.missing_bits = {
                identifier: [-1] * 64 for identifier in segment[6::3][: segment[5] if len(segment) > 5 else 0]
            }
        if marker == _START_OF_SCAN:
            scans.count += 1
            in_scan = True
            _read_scan_header(segment, scans)
            if scans.count > most:
                return scans
        position += max(2, int.from_bytes(data[position : position + 2]))
    raise damaged(f"too many blocks, expected at most {MAX_SEGMENTS:,} segments")


def _read_scan_header(segment: bytes, scans: JpegScans) -> None:
    count = segment[0] if segment else 0
    identifiers = segment[1 : 1 + 2 * count : 2]
    first, last, approximation = (segment[1 + 2 * count : 4 + 2 * count] + b"\0\0\0")[:3]
    scans.in_one_scan = scans.in_one_scan or set(identifiers) == set(scans.missing_bits)
    if scans.frame not in _PROGRESSIVE:
        first, last, approximation = 0, 63, 0
    for identifier in identifiers:
        bits = scans.missing_bits.get(identifier)
        if bits is not None:
            for frequency in range(first, min(last, 63) + 1):
                bits[frequency] = approximation & 15


def hide_exif(data: bytes, scans: JpegScans) -> bytes:
    """Return a JPEG whose EXIF segments no decoder takes for any, of the same length; Pillow loads all that they hold."""
    if not scans.exif_starts:
        return data
    hidden = bytearray(data)
    for start in scans.exif_starts:
        hidden[start : start + len(_EXIF)] = bytes(len(_EXIF))
    return bytes(hidden)


def check_jpeg(data: bytes, most: int) -> JpegScans:
    """Check that a JPEG ends, and that its scans make the whole picture.

    Args:
        data: the encoded file.
        most: how many scans are allowed.

    Raises:
        InputError: it has too many scans, no end, or lacks a part of its picture.
    """
    scans = read_scans(data, most)
    if scans.count > most:
        raise damaged(f"too many scans, expected at most {most}")
    if scans.end is None:
        raise damaged("the file ends before its end-of-image marker")
    if not scans.is_complete:
        raise damaged("scans are missing")
    return scans
