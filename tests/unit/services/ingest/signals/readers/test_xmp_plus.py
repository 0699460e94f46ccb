"""`plus:DataMining` in every container and in every form that RDF allows."""

import pytest

from services.ingest.signals.containers import MAX_XMP_BYTES, find_metadata
from services.ingest.signals.readers.xmp_plus import VERDICTS, read_xmp_plus
from tests.support.factories import encode, picture, png
from tests.unit.services.ingest.signals.xmp_pictures import VOCABULARY, data_mining, with_compressed_xmp, with_xmp, xmp

DENIED = f"{VOCABULARY}DMI-PROHIBITED"


def verdict_of(data: bytes) -> str:
    signal = read_xmp_plus(data)
    assert signal is not None
    return signal.verdict


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(("term", "verdict"), VERDICTS.items())
def test_every_term_in_every_container(kind: str, term: str, verdict: str) -> None:
    assert verdict_of(with_xmp(data_mining(term), kind)) == verdict


@pytest.mark.parametrize(
    "packet",
    [
        xmp(attributes=f'plus:DataMining="{DENIED}"'),
        xmp(f'<plus:DataMining rdf:resource="{DENIED}"/>'),
        xmp(f"<plus:DataMining>\n {DENIED} </plus:DataMining>"),
        xmp(f"<plus:DataMining><rdf:Bag><rdf:li>{DENIED}</rdf:li></rdf:Bag></plus:DataMining>"),
        xmp("<plus:DataMining>DMI-PROHIBITED</plus:DataMining>"),
        xmp(f"<plus:DataMining>{DENIED.replace('http:', 'https:')}</plus:DataMining>"),
    ],
)
def test_every_form(packet: bytes) -> None:
    assert verdict_of(with_xmp(packet)) == "deny"


def test_the_more_restrictive_of_two_values_counts() -> None:
    packet = xmp("<plus:DataMining>DMI-ALLOWED</plus:DataMining>", 'plus:DataMining="DMI-PROHIBITED"')
    assert verdict_of(with_xmp(packet)) == "deny"


def test_a_constraint_goes_into_the_detail() -> None:
    constraint = (
        '<plus:OtherConstraints><rdf:Alt><rdf:li xml:lang="x-default">Ask us</rdf:li></rdf:Alt></plus:OtherConstraints>'
    )
    signal = read_xmp_plus(with_xmp(xmp(constraint, 'plus:DataMining="DMI-PROHIBITED-SEECONSTRAINT"')))
    assert signal is not None
    assert signal.detail["other_constraints"] == ["Ask us"]


def test_compressed_text_is_read_within_bounds() -> None:
    assert verdict_of(with_compressed_xmp(data_mining("DMI-ALLOWED"))) == "allow"
    bomb = read_xmp_plus(with_compressed_xmp(b" " * 50_000_000))
    assert bomb is not None
    assert bomb.verdict == "unknown"
    assert "too long" in bomb.detail["error"]


def test_extended_xmp_of_a_jpeg_is_put_together() -> None:
    packet = data_mining("DMI-PROHIBITED")
    portions = [(0, packet[:100]), (100, packet[100:])]
    prefix = b"http://ns.adobe.com/xmp/extension/\x00" + b"A" * 32 + len(packet).to_bytes(4)
    segments = [prefix + offset.to_bytes(4) + portion for offset, portion in reversed(portions)]
    data = encode(picture(1), "JPEG")
    marked = b"".join(b"\xff\xe1" + (len(segment) + 2).to_bytes(2) + segment for segment in segments)
    assert verdict_of(data[:2] + marked + data[2:]) == "deny"


@pytest.mark.parametrize(
    "packet",
    [
        b'<!DOCTYPE x [<!ENTITY a "DMI-ALLOWED">]>' + xmp("<plus:DataMining>&a;</plus:DataMining>").split(b"?>", 1)[1],
        data_mining("DMI-ALLOWED")[:-60],
        b"\xff\xfe\x00plus:DataMining",
        b"",
        b"<a>" * (MAX_XMP_BYTES // 3),
        b"<a>" * 149_000 + b"</a>" * 149_000,
        b"<r>" + b"<a/>" * 250_000 + b"</r>",
        data_mining("DMI-WHATEVER"),
        b" " * (MAX_XMP_BYTES + 1),
    ],
)
def test_what_cannot_be_read_is_unknown(packet: bytes) -> None:
    assert verdict_of(with_xmp(packet)) == "unknown"


def test_an_unreadable_packet_hides_no_denial_and_lets_no_allowance_through() -> None:
    broken = b"http://ns.adobe.com/xap/1.0/\x00<a"
    for term, verdict in (("DMI-PROHIBITED", "deny"), ("DMI-ALLOWED", "unknown")):
        data = encode(picture(1), "JPEG", xmp=data_mining(term))
        assert verdict_of(data[:2] + b"\xff\xe1" + (len(broken) + 2).to_bytes(2) + broken + data[2:]) == verdict


def test_without_the_property_there_is_no_signal() -> None:
    assert read_xmp_plus(png(1)) is None
    assert read_xmp_plus(with_xmp(xmp("<dc:format>image/png</dc:format>"))) is None
    assert read_xmp_plus(b"\x89PNG\r\n\x1a\n") is None
    assert read_xmp_plus(b"<html>") is None


def test_a_length_in_the_file_is_not_trusted() -> None:
    data = with_xmp(data_mining("DMI-PROHIBITED"))
    at = data.index(b"iTXt") - 4
    assert find_metadata(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]).xmp
