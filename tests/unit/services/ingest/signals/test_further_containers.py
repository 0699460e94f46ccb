"""Metadata of GIF, TIFF, BMP and AVIF: read as in the other formats, and bounded where a file means harm."""

import struct
from time import perf_counter
from typing import Any

import pytest
from PIL import Image

from services.ingest.signals.containers import find_metadata
from services.ingest.signals.embedded_metadata import suggest_owners
from services.ingest.signals.further_containers import MAX_PARTS, find_further_metadata
from services.ingest.signals.read import read_image
from tests.support.factories import encode, picture

XMP = (
    b'<?xpacket begin=""?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"'
    b' plus:DataMining="http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED"><dc:creator><rdf:Seq>'
    b'<rdf:li>Olga Owner</rdf:li></rdf:Seq></dc:creator></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def with_xmp(kind: str) -> bytes:
    options: dict[str, Any] = {"AVIF": {"xmp": XMP}, "GIF": {}, "TIFF": {"tiffinfo": {700: XMP}}}
    data = encode(picture(1, 40), kind, **options[kind])
    if kind == "GIF":  # XMP Part 3 section 1.1.2: an application extension of raw bytes, with a trailer for readers of blocks
        extension = b"\x21\xff\x0bXMP DataXMP" + XMP + b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
        data = data[:-1] + extension + b"\x3b"
    return data


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "AVIF"])
def test_xmp_is_read(kind: str) -> None:
    statements = read_image(with_xmp(kind))
    assert [(signal.kind, signal.verdict) for signal in statements.signals] == [("xmp-plus-data-mining", "deny")]
    assert [suggestion.owner.name for suggestion in statements.suggestions] == ["Olga Owner"]


def test_the_fields_of_a_tiff_name_owners() -> None:
    tags = Image.Exif()
    tags[0x013B], tags[0x8298] = "Ada Artist", "Copyright 2024 Olga Owner"
    names = [suggestion.owner.name for suggestion in suggest_owners(encode(picture(1, 40), "TIFF", exif=tags))]
    assert sorted(names) == ["Ada Artist", "Olga Owner"]


def test_exif_of_an_avif_names_owners() -> None:
    tags = Image.Exif()
    tags[0x013B], tags[0x8298] = "Ada Artist", "Copyright 2024 Olga Owner"
    data = encode(picture(1, 40), "AVIF", exif=tags)
    assert sorted(suggestion.owner.name for suggestion in suggest_owners(data)) == ["Ada Artist", "Olga Owner"]
    assert suggest_owners(data[:200]) == []


# IIM section 1.5: by-line (2:80) and copyright notice (2:116).
IIM = b"".join(
    b"\x1c\x02" + bytes([number]) + len(text).to_bytes(2) + text for number, text in ((80, b"Ada Artist"), (116, b"(c) Olga"))
)


def swapped(data: bytes) -> bytes:
    """The bytes as a writer leaves them that declares longs of the other order."""
    padded = data.ljust(-(-len(data) // 4) * 4, b"\0")
    return b"".join(padded[at : at + 4][::-1] for at in range(0, len(padded), 4))


@pytest.mark.parametrize(
    ("tag", "kind", "block"),
    [
        (33723, 7, IIM),
        (33723, 1, IIM),
        (33723, 4, IIM.ljust(-(-len(IIM) // 4) * 4, b"\0")),
        (33723, 4, swapped(IIM)),
        (34377, 1, b"8BIM\x04\x04\0\0" + len(IIM).to_bytes(4) + IIM),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_iptc_of_a_tiff_names_owners_however_it_is_declared(order: str, tag: int, kind: int, block: bytes) -> None:
    count = len(block) // {1: 1, 4: 4, 7: 1}[kind]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    directory = struct.pack(f"{order}HHHIII", 1, tag, kind, count, 26, 0)
    names = [suggestion.owner.name for suggestion in suggest_owners(head + directory + block)]
    assert names == ["Ada Artist", "Olga"]


def test_a_directory_that_is_cut_off_or_leads_nowhere_names_nobody() -> None:
    for data in (b"II*\0", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff" + bytes(20)):
        assert suggest_owners(data) == []
    directory = struct.pack("<HHHIII", 1, 33723, 7, 2**32 - 1, 2**32 - 1, 0)
    assert suggest_owners(b"II*\0\x08\0\0\0" + directory) == []


def test_plain_files_hold_nothing_and_state_their_type() -> None:
    for kind in ("GIF", "BMP", "AVIF"):
        metadata = find_metadata(encode(picture(1, 40), kind))
        assert (metadata.xmp, metadata.c2pa, metadata.errors) == ([], [], [])
        assert metadata.media_type == f"image/{kind.lower()}"
    assert find_further_metadata(encode(picture(1, 40))) is None


def test_begins_without_ends_and_overlapping_fields_take_no_time() -> None:
    begun = perf_counter()
    metadata = find_further_metadata(b"GIF89a" + b"<x:xmpmeta " * 1_000_000)
    assert metadata is not None
    assert metadata.xmp == []
    metadata = find_further_metadata(b"GIF89a" + b"<x:xmpmeta/></x:xmpmeta>" * 100_000)
    assert metadata is not None
    assert len(metadata.xmp) == MAX_PARTS
    fields = b"".join(struct.pack("<HHII", tag, 7, 2**20, 8) for tag in range(65_535))
    assert suggest_owners((b"II*\0" + struct.pack("<IH", 8, 65_535) + fields).ljust(2**21, b"\0")) == []
    assert perf_counter() - begun < 5
