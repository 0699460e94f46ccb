"""The registry of readers: each kind once, on record under its own name, and described in the docs."""

import re

import pytest

from services.ingest.signals.registry import find_reader, load_readers, read_signals
from services.ingest.signals.signal_reader import Carrier, CarrierKind
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
CARRIERS: dict[CarrierKind, Carrier] = {
    "headers": Carrier(headers=HEADERS, url=URL, user_agent=BOT),
    "tdmrep.json": Carrier(b'[{"location": "*", "tdm-reservation": 1}]', url=URL),
    "robots.txt": Carrier(ROBOTS, url=URL, user_agent=BOT),
    "page": Carrier(PAGE, user_agent=BOT),
}


def test_each_kind_has_one_reader() -> None:
    kinds = [reader.kind for reader in load_readers()]
    assert len(set(kinds)) == len(kinds)
    assert [find_reader(kind) for kind in kinds] == list(load_readers())
    assert find_reader("smoke-signal") is None


@pytest.mark.parametrize("carrier_kind", CARRIERS)
def test_a_signal_is_of_the_kind_of_its_reader(carrier_kind: CarrierKind) -> None:
    kinds = [signal.kind for signal in read_signals(carrier_kind, CARRIERS[carrier_kind])]
    readers = [reader for reader in load_readers() if reader.kind in kinds]
    assert kinds
    assert [reader.kind for reader in readers] == kinds
    assert {reader.carrier for reader in readers} == {carrier_kind}


def test_a_carrier_is_read_in_the_order_of_the_table() -> None:
    kinds = [signal.kind for signal in read_signals("headers", CARRIERS["headers"])]
    assert kinds == ["tdmrep-header", "x-robots-tag", "content-usage-header"]


def test_the_docs_have_a_row_for_each_kind() -> None:
    page = (ROOT / "docs" / "methods" / "signals.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ") and "(`" in line.split("|")[1]]
    assert {kind for row in rows for kind in re.findall(r"`([a-z0-9-]+)`", row)} == {reader.kind for reader in load_readers()}
