"""JSON Lines: lines cut out of any pieces, and a row made of each."""

import base64
import hashlib
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.bulk.json_lines import HEAD_BYTES, Line, max_line_bytes, parse_line, read_lines
from services.ingest.bulk.rows import BadRow, HeldRow, Pause, Row
from tests.support.factories import png, registration

CAP = 10**6


def record(key: str = "a", **changed: object) -> dict[str, Any]:
    return registration(key).model_dump(mode="json", exclude_defaults=True) | changed


def parsed(fields: object) -> Row | HeldRow | BadRow:
    return parse_line(Line(7, json.dumps(fields).encode()), CAP)


@given(
    st.lists(st.binary(max_size=8).map(lambda data: data.replace(b"\n", b"")), max_size=6),
    st.lists(st.integers(0, 60)),
    st.booleans(),
)
def test_lines_do_not_depend_on_the_pieces(lines: list[bytes], cuts: list[int], is_ended: bool) -> None:
    whole = b"\n".join(lines) + (b"\n" if is_ended else b"")
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[start:end] for start, end in pairwise(places)]
    expected = whole.split(b"\n")
    if not expected[-1]:
        expected.pop()
    found = [line for line in read_lines(pieces, CAP) if isinstance(line, Line)]
    assert [line.data for line in found] == expected
    assert [line.number for line in found] == list(range(1, len(expected) + 1))


@pytest.mark.parametrize("piece_bytes", [1000, 70_000, 10**6])
def test_a_line_beyond_the_cap_is_not_held(piece_bytes: int) -> None:
    whole = b'{"a":1}\n' + b"x" * 300_000 + b'\n{"b":2}'
    pieces = [whole[at : at + piece_bytes] for at in range(0, len(whole), piece_bytes)]
    first, long, last = (line for line in read_lines(pieces, 100_000) if isinstance(line, Line))
    assert (first.data, last.data) == (b'{"a":1}', b'{"b":2}')
    assert (long.number, long.is_cut, len(long.data)) == (2, True, HEAD_BYTES)
    bad = parse_line(long, 100_000)
    assert isinstance(bad, BadRow)
    assert (bad.key, bad.error.code) == ("line 2", "line_too_long")


def test_pauses_go_through_also_within_a_line() -> None:
    assert [type(one) for one in read_lines([b"{", Pause(), b"}\n", Pause()], CAP)] == [Pause, Line, Pause]


def test_a_line_brings_its_image_or_names_it() -> None:
    image, digest = base64.b64encode(png(1)).decode(), hashlib.sha256(png(1)).hexdigest()
    row = parsed(record(image=image, sha256=digest.upper()))
    assert isinstance(row, Row)
    assert (row.key, row.data, row.registration) == ("a", png(1), registration("a"))
    held = parsed(record(sha256=digest.upper()))
    assert isinstance(held, HeldRow)
    assert held.sha256 == digest


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ([1], "line_malformed"),
        (record(), "image_missing"),
        (record(image=5), "row_invalid"),
        (record(image="not base64!"), "row_invalid"),
        (record(sha256="abc"), "row_invalid"),
        (record(image=base64.b64encode(png(1)).decode(), sha256="0" * 64), "sha256_differs"),
        (record(sha256="0" * 64, unknown=1), "row_invalid"),
        (record(sha256="0" * 64, title="zero \x00"), "row_invalid"),
        ({"source_key": 5, "sha256": "0" * 64}, "row_invalid"),
    ],
)
def test_what_cannot_be_a_row_says_why(fields: object, code: str) -> None:
    bad = parsed(fields)
    assert isinstance(bad, BadRow)
    assert bad.error.code == code


@pytest.mark.parametrize("data", [b"{", b"\xff{}", b"\xef\xbb\xbf{}", b"[" * 100_000])
def test_a_malformed_line_is_named_by_its_number(data: bytes) -> None:
    bad = parse_line(Line(9, data), CAP)
    assert isinstance(bad, BadRow)
    assert (bad.key, bad.error.code) == ("line 9", "line_malformed")
    assert "line 9" in bad.error.message


def test_the_cap_takes_the_largest_image() -> None:
    assert max_line_bytes(1000) > len(base64.b64encode(bytes(1000))) + 65_535
