"""`noai` and `noimageai` in headers and pages: to whom they are said, and to whom not."""

import pytest

from services.ingest.signals.readers.x_robots_tag import read_robots_meta, read_x_robots_tag
from services.ingest.signals.signal import Signal

AGENT = "SleeveBot/1.0 (+https://example.org/bot)"


def verdict(signal: Signal | None) -> str | None:
    return None if signal is None else signal.verdict


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
