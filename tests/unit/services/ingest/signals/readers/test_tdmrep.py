"""TDMRep: file, header and meta elements."""

import json
from typing import Any

import pytest

from services.ingest.signals.readers.tdmrep import MAX_FILE_BYTES, read_tdmrep_file, read_tdmrep_headers, read_tdmrep_meta
from services.ingest.signals.signal import Signal

HOST = "https://example.org"


def read(rules: Any, path: str = "/works/a.png") -> Signal | None:
    return read_tdmrep_file(json.dumps(rules).encode(), HOST + path)


def rule(location: str, reservation: Any, **more: str) -> dict[str, Any]:
    return {"location": location, "tdm-reservation": reservation, **more}


@pytest.mark.parametrize(("value", "verdict"), [(1, "deny"), (0, "allow"), ("1", "deny"), ("0", "allow")])
def test_a_reservation_is_read(value: Any, verdict: str) -> None:
    signal = read([rule("/", value)])
    assert signal is not None
    assert signal.verdict == verdict


@pytest.mark.parametrize("value", [2, None, True, 1.0, "yes", [1]])
def test_any_other_value_is_a_protocol_error(value: Any) -> None:
    signal = read([rule("/", value)])
    assert signal is not None
    assert signal.verdict == "unknown"
    assert "expected tdm-reservation 0 or 1" in signal.detail["error"]


def test_the_first_match_counts_not_the_longest() -> None:
    signal = read([rule("/other", 1), rule("/works", 0, **{"tdm-policy": "https://p"}), rule("/works/a.png", 1)])
    assert signal is not None
    assert signal.verdict == "allow"
    assert signal.detail == {"tdm_reservation": ["0"], "location": "/works", "tdm_policy": ["https://p"]}


@pytest.mark.parametrize(
    ("location", "path", "matches"),
    [
        ("/directory-b/images/*.jpg", "/directory-b/images/x/y.jpg", True),
        ("/directory-b/images/*.jpg$", "/directory-b/images/y.jpg?s=1", False),
        ("/*.png$", "/a.png", True),
        ("/Works", "/works", False),
        ("/caf%C3%A9", "/café", True),
        ("/path/foo-%24", "/path/foo-%24", True),
        ("/exactly$", "/exactly/not", False),
        ("*/deep", "/a/deep/b", True),
    ],
)
def test_locations(location: str, path: str, matches: bool) -> None:
    assert (read([rule(location, 1)], path) is not None) is matches


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"<html>",
        b"{}",
        b"[1]",
        b'[{"tdm-reservation": 1}]',
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * MAX_FILE_BYTES + b"[]",
    ],
)
def test_a_file_that_cannot_be_read_is_unknown(file: bytes) -> None:
    signal = read_tdmrep_file(file, HOST)
    assert signal is not None
    assert signal.verdict == "unknown"
    assert signal.detail["error"]


def test_a_url_that_cannot_be_read_is_unknown() -> None:
    signal = read_tdmrep_file(b"[]", "http://[::1")
    assert signal is not None
    assert signal.verdict == "unknown"


def test_no_match_is_no_statement() -> None:
    assert read([]) is None
    assert read([rule("/other", 1)]) is None


def test_headers() -> None:
    denied = read_tdmrep_headers([("TDM-Reservation", " 1 "), ("tdm-policy", "https://p"), ("Server", "x")])
    assert denied is not None
    assert denied.verdict == "deny"
    assert denied.detail == {"tdm_reservation": ["1"], "tdm_policy": ["https://p"]}
    twice = read_tdmrep_headers([("tdm-reservation", "0"), ("tdm-reservation", "1")])
    assert twice is not None
    assert twice.verdict == "deny"
    assert read_tdmrep_headers([("tdm-policy", "https://p")]) is None


def test_meta() -> None:
    page = (
        b"<!DOCTYPE html><html><head><meta name='TDM-Reservation' content=1><meta content='https://p' name=tdm-policy></head>"
    )
    signal = read_tdmrep_meta(page)
    assert signal is not None
    assert signal.verdict == "deny"
    assert signal.detail["tdm_policy"] == ["https://p"]
    assert read_tdmrep_meta(b"<html><!-- <meta name=tdm-reservation content=1> --></html>") is None
