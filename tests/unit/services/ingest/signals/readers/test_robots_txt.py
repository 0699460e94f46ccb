"""robots.txt: what it forbids, and files too long or too tangled to judge."""

import time

import pytest

from services.ingest.signals.readers.content_usage import (
    read_content_signal,
    read_content_usage_rules,
)
from services.ingest.signals.readers.robots_txt import MAX_FILE_BYTES, read_robots_txt
from services.ingest.signals.signal import Signal

AGENT = "SleeveBot/1.0 (+https://example.org/bot)"
URL = "https://example.org/works/a.png"


def verdict(signal: Signal | None) -> str | None:
    return None if signal is None else signal.verdict


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("User-agent: *\nDisallow: /works", "deny"),
        ("User-agent: *\nDisallow: /works\nAllow: /works/a.png", None),
        ("User-agent: sleevebot\nDisallow: /\n\nUser-agent: *\nAllow: /", "deny"),
        ("User-agent: SleeveBot\nAllow: /\n\nUser-agent: *\nDisallow: /", None),
        ("User-agent: OtherBot\nDisallow: /", None),
        ("", None),
        ("<html>not found</html>", None),
    ],
)
def test_robots_txt(text: str, expected: str | None) -> None:
    assert verdict(read_robots_txt(text.encode(), URL, AGENT)) == expected


@pytest.mark.parametrize(
    "file",
    [
        b"#" * (MAX_FILE_BYTES + 1),
        b"".join(b"User-agent: a%d\n" % n for n in range(10_000)) + b"Disallow: /a\n" * 10_000,
    ],
)
def test_a_file_too_long_or_tangled_is_unknown_at_once(file: bytes) -> None:
    started = time.thread_time()
    assert verdict(read_robots_txt(file, URL, AGENT)) == "unknown"
    assert time.thread_time() - started < 2


@pytest.mark.parametrize(
    "file",
    [
        b"".join(b"User-agent: a%d\n" % n for n in range(700)) + b"Disallow: /a\n" * 700,
        b"User-agent: *\n" + b"Disallow: /*a*a*a*a*a*a*a*a*b\n" * 15_000,
        b"User-agent: *\n" + b"Content-Usage: /" + b"*a" * 100_000 + b" train-ai=n\n",
    ],
)
def test_the_costliest_files_that_are_read_take_little_time(file: bytes) -> None:
    started = time.thread_time()
    for reader in (read_robots_txt, read_content_usage_rules, read_content_signal):
        reader(file, "https://example.org/" + "a" * 2000, AGENT)
    assert time.thread_time() - started < 4
