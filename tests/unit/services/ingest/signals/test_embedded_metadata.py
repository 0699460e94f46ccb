"""Who a picture's own metadata names."""

import struct

from PIL import Image

from services.ingest.signals.embedded_metadata import OwnerSuggestion, suggest_owners
from tests.support.factories import encode, picture, png
from tests.unit.services.ingest.signals.xmp_pictures import with_xmp, xmp

RIGHTS = '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2024 Ada Lovelace Estate</rdf:li></rdf:Alt></dc:rights>'


def short(suggestions: list[OwnerSuggestion]) -> list[tuple[str, str, str]]:
    return [(one.owner.role, one.owner.name, one.source) for one in suggestions]


def with_iim(*datasets: tuple[int, bytes], name: bytes = b"") -> bytes:
    records = b"".join(b"\x1c" + struct.pack(">BBH", 2, dataset, len(text)) + text for dataset, text in datasets)
    label = bytes([len(name)]) + name
    label += b"\x00" * (len(label) % 2)
    other = b"8BIM" + struct.pack(">H", 1005) + b"\x00\x00" + struct.pack(">I", 3) + b"abc\x00"
    block = b"Photoshop 3.0\x00" + other + b"8BIM\x04\x04" + label + struct.pack(">I", len(records)) + records
    data = encode(picture(1), "JPEG")
    return data[:2] + b"\xff\xed" + (len(block) + 2).to_bytes(2) + block + data[2:]


def test_xmp_names_creator_rightsholder_and_credit() -> None:
    content = (
        "<dc:creator><rdf:Seq><rdf:li>Ada Lovelace</rdf:li><rdf:li>Mary Somerville</rdf:li></rdf:Seq></dc:creator>"
        f"{RIGHTS}<photoshop:Credit>Analytical Agency</photoshop:Credit>"
    )
    found = suggest_owners(with_xmp(xmp(content, 'xmpRights:WebStatement="https://example.org/rights"')))
    assert short(found) == [
        ("creator", "Ada Lovelace", "XMP dc:creator"),
        ("creator", "Mary Somerville", "XMP dc:creator"),
        ("rightsholder", "Ada Lovelace Estate", "XMP dc:rights"),
        ("publisher", "Analytical Agency", "XMP photoshop:Credit"),
    ]
    assert {one.owner.basis for one in found} == {"embedded metadata"}
    assert [one.owner.url for one in found] == [None, None, "https://example.org/rights", None]
    assert found[2].text == "© 2024 Ada Lovelace Estate"


def test_a_web_statement_alone_names_its_host() -> None:
    found = suggest_owners(with_xmp(xmp(attributes='xmpRights:WebStatement="https://rights.example.org/a"'), "JPEG"))
    assert short(found) == [("rightsholder", "rights.example.org", "XMP xmpRights:WebStatement")]
    assert found[0].owner.url == "https://rights.example.org/a"


def test_plus_names_owner_and_licensor() -> None:
    content = (
        '<plus:CopyrightOwner><rdf:Seq><rdf:li rdf:parseType="Resource">'
        "<plus:CopyrightOwnerName>Ada</plus:CopyrightOwnerName></rdf:li></rdf:Seq></plus:CopyrightOwner>"
        '<plus:Licensor><rdf:Seq><rdf:li><rdf:Description plus:LicensorName="Agency"/></rdf:li></rdf:Seq></plus:Licensor>'
    )
    found = short(suggest_owners(with_xmp(xmp(content), "WEBP")))
    assert [one[:2] for one in found] == [("rightsholder", "Ada"), ("licensor", "Agency")]


def test_iim_in_utf8_and_latin1() -> None:
    data = with_iim((80, "Zoë".encode()), (80, "Zoé".encode("latin-1")), (116, b"(c) 2020 Zo"), (110, b"AFP"), name=b"ab")
    assert short(suggest_owners(data)) == [
        ("creator", "Zoë", "IPTC By-line"),
        ("creator", "Zoé", "IPTC By-line"),
        ("rightsholder", "Zo", "IPTC Copyright Notice"),
        ("publisher", "AFP", "IPTC Credit"),
    ]


def test_exif_in_every_container() -> None:
    exif = Image.Exif()
    exif[0x013B], exif[0x8298], exif[0x9C9D] = "Ada; Mary", "Photo 1999\x00Editor", "Zoë".encode("utf-16-le")
    for kind in ("PNG", "JPEG", "WEBP"):
        found = short(suggest_owners(encode(picture(1), kind, exif=exif)))
        assert [one[:2] for one in found] == [
            ("creator", "Ada"),
            ("creator", "Mary"),
            ("creator", "Zoë"),
            ("rightsholder", "Photo"),
            ("rightsholder", "Editor"),
        ]


def test_a_name_is_suggested_once_in_a_role() -> None:
    exif = Image.Exif()
    exif[0x013B] = "ADA"
    packet = xmp("<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li></rdf:Seq></dc:creator>")
    assert [one.owner.name for one in suggest_owners(encode(picture(1), "JPEG", xmp=packet, exif=exif))] == ["Ada"]


def test_nothing_to_read_suggests_nobody() -> None:
    too_long = xmp(f"<photoshop:Credit>{'x' * 3000}</photoshop:Credit>")
    only_formula = xmp("<dc:rights>© 2024. All rights reserved.</dc:rights>")
    for data in (png(1), b"", b"GIF89a", with_xmp(b"<broken"), with_xmp(too_long), with_xmp(only_formula)):
        assert suggest_owners(data) == []
