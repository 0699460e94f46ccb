"""Scans are counted as a decoder meets them: segments are skipped, stuffed zeros and restarts are no markers."""

import pytest

from shared.vision.file_structure.jpeg_scans import read_scans

START, END, SCAN = bytes.fromhex("ffd8"), bytes.fromhex("ffd9"), bytes.fromhex("ffda0002")


@pytest.mark.parametrize(
    ("data", "scans"),
    [
        (b"", 0),
        (START + END, 0),
        (START + SCAN + b"\x01\x02" + END, 1),
        (START + SCAN * 3 + END, 3),
        (START + SCAN + bytes.fromhex("ff00 ffd0 ffd7") + SCAN + END, 2),
        # A comment that holds what looks like a scan.
        (START + bytes.fromhex("fffe0006") + SCAN + SCAN + END, 1),
        # Behind the end of the image.
        (START + SCAN + END + SCAN * 9, 1),
        # A file that ends within a marker, and a segment whose length is none.
        (START + SCAN + b"\xff", 1),
        (START + bytes.fromhex("ffe00000") + SCAN + END, 1),
    ],
)
def test_scans_are_those_that_a_decoder_meets(data: bytes, scans: int) -> None:
    assert read_scans(data, scans).count == scans
    assert scans == 0 or read_scans(data, scans - 1).count == scans
