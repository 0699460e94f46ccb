"""robots.txt, X-Robots-Tag, Content-Usage, Content-Signal and RSL."""

import time

import pytest

from services.ingest.signals.html_meta import find_meta
from services.ingest.signals.readers.content_usage import (
    read_content_signal,
    read_content_usage_header,
    read_content_usage_rules,
)
from services.ingest.signals.readers.robots_txt import MAX_FILE_BYTES, read_robots_txt
from services.ingest.signals.readers.rsl import read_rsl
from services.ingest.signals.readers.x_robots_tag import read_robots_meta, read_x_robots_tag
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


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["noai"], "deny"),
        (["noindex, NoImageAI"], "deny"),
        (["noindex", "noai"], "deny"),
        (["sleevebot: noai"], "deny"),
        (["*: noai"], "deny"),
        (["otherbot: noindex, noai"], "unknown"),
        (["otherbot: noindex", "noai"], "deny"),
        (["otherbot: nofollow, sleevebot: noai"], "deny"),
        (["unavailable_after: Saturday, 25-Jun-2030 15:00:00 PST, noai"], "deny"),
        (["max-image-preview: large, noai"], "deny"),
        (["noindex, nofollow"], None),
        (["all"], None),
        ([], None),
    ],
)
def test_x_robots_tag(values: list[str], expected: str | None) -> None:
    assert verdict(read_x_robots_tag([("X-Robots-Tag", value) for value in values], AGENT)) == expected


def test_robots_meta() -> None:
    assert verdict(read_robots_meta(b'<meta name="robots" content="noai, noimageai">', AGENT)) == "deny"
    assert verdict(read_robots_meta(b'<meta name="sleevebot" content="noai">', AGENT)) == "deny"
    assert verdict(read_robots_meta(b'<meta name="googlebot" content="noai">', AGENT)) == "unknown"
    assert read_robots_meta(b'<meta name="robots" content="index">', AGENT) is None


@pytest.mark.parametrize("piece", [b"<meta ", b"<!--", b"<!---->", b"<meta name=", b'a="', b"<meta a=b c>", b"&#", b"<"])
def test_a_hostile_page_takes_little_time(piece: bytes) -> None:
    started = time.thread_time()
    find_meta(piece * (1_000_000 // len(piece)))
    assert time.thread_time() - started < 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["train-ai=n"], "deny"),
        (["train-ai=y, search=n"], "allow"),
        (["train-ai=n;reason=x", "search=y"], "deny"),
        (["train-ai=y, train-ai=n"], "deny"),
        (["train-ai"], "unknown"),
        (['train-ai="n"'], "unknown"),
        (["train-ai=?0"], "unknown"),
        (["train-ai=(n)"], "unknown"),
        (["Train-AI=n"], "unknown"),
        (["train-ai=n,"], "unknown"),
        (["é"], "unknown"),
        (["ai=y, genai=n"], "deny"),
        (["search=y"], None),
        ([""], None),
        ([], None),
    ],
)
def test_content_usage_header(values: list[str], expected: str | None) -> None:
    assert verdict(read_content_usage_header([("Content-Usage", value) for value in values])) == expected


ROBOTS = b"""\
User-Agent: *
Allow: /
Content-Usage: / train-ai=n
Content-Usage: /ai-ok/ train-ai=y # a comment
Content-Usage: /both train-ai=y
Content-Usage: /both train-ai=n
Content-Usage: /search search=y
Content-Signal: search=yes, ai-train=no

User-Agent: ExampleBot
User-Agent: OtherBot
Allow: /
Content-Usage: / train-ai=y
Content-signal: /works ai-train=yes
License: https://example.org/licence.xml
"""


@pytest.mark.parametrize(
    ("path", "agent", "expected"),
    [
        ("/test", AGENT, "deny"),
        ("/ai-ok/test", AGENT, "allow"),
        ("/both", AGENT, "deny"),
        ("/search", AGENT, None),
        ("/test", "ExampleBot", "allow"),
        ("/test", "Mozilla/5.0 (compatible; otherbot/2.0)", "allow"),
    ],
)
def test_content_usage_rules(path: str, agent: str, expected: str | None) -> None:
    assert verdict(read_content_usage_rules(ROBOTS, f"https://example.org{path}", agent)) == expected


def test_a_rule_without_a_path_holds_everywhere() -> None:
    assert verdict(read_content_usage_rules(b"User-agent: *\nContent-Usage: train-ai=n", URL, AGENT)) == "deny"


def test_content_signal() -> None:
    assert verdict(read_content_signal(ROBOTS, URL, AGENT)) == "deny"
    assert verdict(read_content_signal(ROBOTS, URL, "OtherBot")) == "allow"
    assert read_content_signal(ROBOTS, "https://example.org/", "OtherBot") is None


def test_rsl_is_unknown_with_its_address() -> None:
    signal = read_rsl(ROBOTS)
    assert signal is not None
    assert signal.verdict == "unknown"
    assert signal.detail == {"licences": ["https://example.org/licence.xml"]}
    assert read_rsl(b"User-agent: *\nDisallow:") is None
