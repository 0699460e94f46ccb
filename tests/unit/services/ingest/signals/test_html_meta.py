"""Meta elements of pages, also of hostile ones."""

import time

import pytest

from services.ingest.signals.html_meta import find_meta
from services.ingest.signals.signal import Signal


def verdict(signal: Signal | None) -> str | None:
    return None if signal is None else signal.verdict


@pytest.mark.parametrize("piece", [b"<meta ", b"<!--", b"<!---->", b"<meta name=", b'a="', b"<meta a=b c>", b"&#", b"<"])
def test_a_hostile_page_takes_little_time(piece: bytes) -> None:
    started = time.thread_time()
    find_meta(piece * (1_000_000 // len(piece)))
    assert time.thread_time() - started < 2


def test_references_are_resolved_and_comments_left_out() -> None:
    page = b"<META content='a&amp;b' NAME=Robots><!-- <meta name=x content=y> --><meta name=z>"
    assert find_meta(page) == [("robots", "a&b")]


def test_what_follows_an_open_comment_says_nothing() -> None:
    assert find_meta(b"<!-- <meta name=robots content=noai>") == []
