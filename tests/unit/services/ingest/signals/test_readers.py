"""The table of readers: each kind once, on record under its own name, and described in the docs."""

import re

import pytest

from services.ingest.signals.readers import READERS, Carrier, SignalReader, find_reader, read_signals
from tests.support.paths import ROOT

URL = "https://example.org/art/1.png"
BOT = "SleeveBot"
PAGE = b'<meta name="tdm-reservation" content="1"><meta name="robots" content="noai">'
ROBOTS = b"""License: https://example.org/licence.xml
User-agent: *
Disallow: /art
Content-Usage: train-ai=n
Content-Signal: ai-train=no
"""
HEADERS = [("tdm-reservation", "1"), ("X-Robots-Tag", "noai"), ("Content-Usage", "train-ai=n")]
CARRIERS = {
    "headers": Carrier(headers=HEADERS, url=URL, user_agent=BOT),
    "tdmrep.json": Carrier(b'[{"location": "*", "tdm-reservation": 1}]', url=URL),
    "robots.txt": Carrier(ROBOTS, url=URL, user_agent=BOT),
    "page": Carrier(PAGE, user_agent=BOT),
}


def test_each_kind_has_one_reader() -> None:
    kinds = [reader.kind for reader in READERS]
    assert len(set(kinds)) == len(kinds)
    assert [find_reader(kind) for kind in kinds] == list(READERS)
    assert find_reader("smoke-signal") is None


@pytest.mark.parametrize(
    "reader", [reader for reader in READERS if reader.carrier in CARRIERS], ids=lambda reader: reader.kind
)
def test_a_signal_is_of_its_readers_kind(reader: SignalReader) -> None:
    signal = reader.read(CARRIERS[reader.carrier])
    assert signal is not None
    assert signal.kind == reader.kind


def test_a_carrier_is_read_in_the_order_of_the_table() -> None:
    kinds = [signal.kind for signal in read_signals("headers", CARRIERS["headers"])]
    assert kinds == ["tdmrep-header", "x-robots-tag", "content-usage-header"]


def test_the_docs_have_a_row_for_each_kind() -> None:
    page = (ROOT / "docs" / "methods" / "signals.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ") and "(`" in line.split("|")[1]]
    assert {kind for row in rows for kind in re.findall(r"`([a-z0-9-]+)`", row)} == {reader.kind for reader in READERS}
