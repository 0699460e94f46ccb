"""A signal: what a reader's failure becomes, and what is cut to fit a record."""

from services.ingest.signals.signal import MAX_TEXT_CHARS, MAX_VALUES, SignalReading, bounded, read_or_unknown
from shared.canonical import sha256_hex


def test_a_reading_becomes_a_signal_of_the_bytes() -> None:
    signal = read_or_unknown("robots-txt", b"raw", lambda: SignalReading("deny", {"rule": "disallow"}))
    assert signal is not None
    assert (signal.kind, signal.verdict, signal.raw_sha256) == ("robots-txt", "deny", sha256_hex(b"raw"))


def test_silence_is_no_signal() -> None:
    assert read_or_unknown("robots-txt", b"raw", lambda: None) is None


def test_a_failure_is_unknown_and_says_why() -> None:
    def fail() -> SignalReading:
        raise RecursionError("too deep")

    signal = read_or_unknown("robots-txt", b"raw", fail)
    assert signal is not None
    assert (signal.verdict, signal.detail) == ("unknown", {"error": "RecursionError: too deep"})


def test_a_detail_is_cut_to_what_a_record_keeps() -> None:
    detail = bounded({"text": "x" * 9999, "values": list(range(999)), "stray": "\ud800"})
    assert (len(detail["text"]), len(detail["values"]), detail["stray"]) == (MAX_TEXT_CHARS, MAX_VALUES, "?")


def test_a_detail_without_a_canonical_form_is_an_error() -> None:
    assert "error" in bounded({"number": float("nan")})
