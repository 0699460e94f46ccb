"""How many passes a JPEG file asks a decoder to make over its picture, counted without decoding.

A progressive file may have any number of scans, each of a few bytes, and a decoder passes over the whole picture for each of
them. 300,000 scans fit into 20 MB and take most of an hour.

Rules, in order:

1. Markers are followed as a decoder follows them: a segment is skipped by its stated length.
2. Within a scan, only a marker that is neither a stuffed zero nor a restart ends it.
3. What comes after the end of the image is not read.

Source: JPEG (ITU-T T.81) annex B.1.1 and table B.1.
"""

import re

_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Table B.1: markers that stand alone: TEM, SOI.
_BARE = frozenset({0x01, 0xD8})


def has_more_scans(data: bytes, most: int) -> bool:
    """Say whether a JPEG has more than `most` scans.

    Args:
        data: the encoded file, of any content.
        most: how many scans are allowed, at least 0.

    >>> scan = bytes.fromhex("ffda 0002 00")
    >>> has_more_scans(bytes.fromhex("ffd8") + scan * 3, 2), has_more_scans(bytes.fromhex("ffd8") + scan * 3, 3)
    (True, False)
    """
    position, scans = 0, 0
    while (match := _MARKER.search(data, position)) is not None:
        position, marker = match.end(), match[1][0]
        if marker == _END_OF_IMAGE:
            return False
        scans += marker == _START_OF_SCAN
        if scans > most:
            return True
        if marker not in _BARE:
            position += max(2, int.from_bytes(data[position : position + 2]))
    return False
