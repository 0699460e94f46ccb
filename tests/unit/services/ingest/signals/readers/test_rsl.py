"""Licences named in robots.txt."""

from services.ingest.signals.readers.rsl import read_rsl
from services.ingest.signals.signal import Signal


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


def test_rsl_is_unknown_with_its_address() -> None:
    signal = read_rsl(ROBOTS)
    assert signal is not None
    assert signal.verdict == "unknown"
    assert signal.detail == {"licences": ["https://example.org/licence.xml"]}
    assert read_rsl(b"User-agent: *\nDisallow:") is None
