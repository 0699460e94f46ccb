"""Preferences of AIPREF and Content Signals: in headers, and in robots.txt by path and crawler."""

import pytest

from services.ingest.signals.readers.content_usage import (
    read_content_signal,
    read_content_usage_header,
    read_content_usage_rules,
)
from services.ingest.signals.signal import Signal

AGENT = "SleeveBot/1.0 (+https://example.org/bot)"
URL = "https://example.org/works/a.png"


def verdict(signal: Signal | None) -> str | None:
    return None if signal is None else signal.verdict


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
