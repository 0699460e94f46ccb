"""Keywords that deny, in XMP, IPTC and PNG; licences and names in a PNG's texts and in XMP."""

import pytest

from services.ingest.signals.containers import PNG_SIGNATURE
from services.ingest.signals.embedded_metadata import suggest_owners
from services.ingest.signals.read import read_image, read_page_signals
from services.ingest.signals.readers.embedded_licence import read_embedded_licence
from services.ingest.signals.readers.noai_keywords import read_noai_keywords
from services.ingest.signals.readers.x_robots_tag import read_x_robots_tag
from tests.support.factories import png
from tests.unit.services.ingest.signals.xmp_pictures import png_block, with_blocks, with_xmp

XMP = (
    '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:cc="http://creativecommons.org/ns#" xmlns:x="http://ns.adobe.com/xap/1.0/rights/"><r:Description>{}'
    "</r:Description></r:RDF>"
)


def xmp(body: str, kind: str = "PNG") -> bytes:
    return with_xmp(XMP.format(body).encode(), kind)


def subject(*words: str) -> str:
    return "<dc:subject><r:Bag>" + "".join(f"<r:li>{word}</r:li>" for word in words) + "</r:Bag></dc:subject>"


@pytest.mark.parametrize("word", ["noai", "NoAI", "no ai", "no-ai", "NoImageAI", "No AI training", "#noml"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_keyword_denies_however_it_is_spelled(word: str, kind: str) -> None:
    signal = read_noai_keywords(xmp(subject("cats", word), kind))
    assert signal is not None
    assert (signal.verdict, signal.detail) == ("deny", {"keywords": [word]})


@pytest.mark.parametrize("words", [("cats",), ("aino",), ("no airplanes",), ("made without ai",), ()])
def test_other_keywords_say_nothing(words: tuple[str, ...]) -> None:
    assert read_noai_keywords(xmp(subject(*words))) is None


@pytest.mark.parametrize("directive", ["noai", "noimageai", "noml", "NOML"])
def test_the_header_denies(directive: str) -> None:
    signal = read_x_robots_tag([("X-Robots-Tag", f"noarchive, {directive}")], "SleeveBot")
    assert signal is not None
    assert signal.verdict == "deny"


@pytest.mark.parametrize(
    "meta", ['name="robots" content="noml"', 'name="keywords" content="cats, No AI"', 'name="robots" content="noindex; noai"']
)
def test_a_page_denies(meta: str) -> None:
    assert [signal.verdict for signal in read_page_signals(f"<meta {meta}>".encode(), "SleeveBot")] == ["deny"]


def text(kind: bytes, keyword: str, value: str) -> bytes:
    parts = {b"tEXt": b"", b"iTXt": b"\0\0\0\0"}
    return png_block(kind, keyword.encode() + b"\0" + parts[kind] + value.encode("utf-8" if kind == b"iTXt" else "latin-1"))


@pytest.mark.parametrize("kind", [b"tEXt", b"iTXt"])
def test_the_texts_of_a_png_name_owners_and_licence(kind: bytes) -> None:
    blocks = text(kind, "Author", "Ada Müller") + text(kind, "Copyright", "© 2020 Olga. All rights reserved.")
    data = with_blocks(blocks + text(kind, "License", "CC BY 4.0") + text(kind, "Keywords", "cats, noai"))
    assert data.startswith(PNG_SIGNATURE)
    named = [(one.owner.name, one.owner.role, one.source) for one in suggest_owners(data)]
    assert named == [("Ada Müller", "creator", "PNG Author"), ("Olga", "rightsholder", "PNG Copyright")]
    signals = {signal.kind: signal for signal in read_image(data).signals}
    assert signals["noai-keywords"].verdict == "deny"
    assert signals["embedded-licence"].detail == {
        "licences": [{"field": "PNG License", "licence": "CC BY 4.0", "spdx": "CC-BY-4.0"}]
    }


@pytest.mark.parametrize("name", ["Unknown", "anonymous", "n/a", "-"])
def test_a_placeholder_in_a_file_names_nobody(name: str) -> None:
    assert suggest_owners(with_blocks(text(b"tEXt", "Author", name))) == []


@pytest.mark.parametrize(
    ("body", "spdx"),
    [
        ('<cc:license r:resource="http://creativecommons.org/licenses/by-sa/3.0/"/>', "CC-BY-SA-3.0"),
        ("<cc:license>https://example.org/terms</cc:license>", None),
        ("<x:WebStatement>https://creativecommons.org/publicdomain/zero/1.0/</x:WebStatement>", "CC0-1.0"),
        ("<x:UsageTerms>See https://creativecommons.org/licenses/by/4.0/.</x:UsageTerms>", "CC-BY-4.0"),
    ],
)
def test_a_licence_in_xmp_is_on_record(body: str, spdx: str | None) -> None:
    signal = read_embedded_licence(xmp(body))
    assert signal is not None
    assert signal.verdict == "unknown"
    assert [licence["spdx"] for licence in signal.detail["licences"]] == [spdx]


def test_a_picture_without_texts_says_nothing() -> None:
    assert read_image(png(1)).signals == ()
    assert read_embedded_licence(xmp("<x:WebStatement>https://example.org/me</x:WebStatement>")) is None
