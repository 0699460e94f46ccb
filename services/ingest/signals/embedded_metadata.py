"""Presumed owners that an image's own metadata names: creator, copyright, credit, statement of rights.

Rules, in order:

1. These are suggestions with the basis "embedded metadata" and no verdict: a name in a file is a hint, checked by nobody.
2. XMP comes first, since it has the most fields for the purpose, then IPTC-IIM, EXIF and a PNG's texts; the same name in
   the same role is suggested once. A word for nobody, such as "Unknown", suggests nobody.
3. A copyright notice gives the name that is left when signs, years and formulas are taken away.
4. The web statement of rights is the address given with the rightsholder; without a rightsholder its host stands for one.
5. Metadata that cannot be read suggests nobody.

Source: IPTC Photo Metadata Standard 2023.1 (Creator, Copyright Notice, Credit Line, Copyright Owner, Licensor, Web Statement
of Rights, with their XMP and IIM names); EXIF (CIPA DC-008), TIFF attribute information (Artist, Copyright).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from PIL import Image
from pydantic import ValidationError

from services.ingest.items.placeholders import is_placeholder
from services.ingest.items.schemas import OwnerRole, PresumedOwner
from services.ingest.signals.containers import EmbeddedMetadata, find_metadata
from services.ingest.signals.iptc_iim import read_datasets
from services.ingest.signals.signal import MAX_TEXT_CHARS, MAX_VALUES
from services.ingest.signals.xmp import XmpProperties, read_packets
from shared.ledger.body_fields import EMBEDDED_BASIS
from shared.vision.encoded_image import silence_pillow
from shared.vision.orientation import has_overlapping_fields

_DC = "{http://purl.org/dc/elements/1.1/}"
_PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
_XMP_RIGHTS = "{http://ns.adobe.com/xap/1.0/rights/}"
_CC = "{http://creativecommons.org/ns#}"
_PLUS = "{http://ns.useplus.org/ldf/xmp/1.0/}"
_WEB_STATEMENT = f"{_XMP_RIGHTS}WebStatement"
# EXIF, TIFF attribute information; the last is Windows' own, in UTF-16.
_ARTIST, _COPYRIGHT, _XP_AUTHOR = 0x013B, 0x8298, 0x9C9D

# Our own scale beside the 0.7 of a data set's column: a field for a name, a notice that holds one, a credit line that may
# name an agency, the host of a link.
_NAMED, _NOTICE, _CREDIT, _HOST = 0.6, 0.4, 0.3, 0.2

_XMP_FIELDS: tuple[tuple[str, str, OwnerRole, float], ...] = (
    (f"{_DC}creator", "XMP dc:creator", "creator", _NAMED),
    (f"{_CC}attributionName", "XMP cc:attributionName", "creator", _NAMED),
    (f"{_PLUS}CopyrightOwnerName", "XMP plus:CopyrightOwnerName", "rightsholder", _NAMED),
    (f"{_XMP_RIGHTS}Owner", "XMP xmpRights:Owner", "rightsholder", _NAMED),
    (f"{_PLUS}LicensorName", "XMP plus:LicensorName", "licensor", _NAMED),
    (f"{_DC}rights", "XMP dc:rights", "rightsholder", _NOTICE),
    (f"{_PHOTOSHOP}Credit", "XMP photoshop:Credit", "publisher", _CREDIT),
)
# IIM 4.2 section 6: By-line, Copyright Notice, Credit, all of record 2.
_IIM_FIELDS: dict[tuple[int, int], tuple[str, OwnerRole, float]] = {
    (2, 80): ("IPTC By-line", "creator", _NAMED),
    (2, 116): ("IPTC Copyright Notice", "rightsholder", _NOTICE),
    (2, 110): ("IPTC Credit", "publisher", _CREDIT),
}
# PNG (W3C, third edition) section 11.3.3.2: Author, Copyright; the others are what further writers use.
_PNG_FIELDS: dict[str, tuple[OwnerRole, float]] = {
    "author": ("creator", _NAMED),
    "artist": ("creator", _NAMED),
    "creator": ("creator", _NAMED),
    "copyright": ("rightsholder", _NOTICE),
    "rights": ("rightsholder", _NOTICE),
}
_NOTICE_WORDS = re.compile(
    r"©|\(c\)|®|\b(?:copyright|copr\.?|all rights reserved|tous droits réservés|alle rechte vorbehalten|\d{4})(?!\w)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class OwnerSuggestion:
    """A presumed owner, the field that names them, and the field's text as it stands."""

    owner: PresumedOwner
    source: str
    text: str


@dataclass(frozen=True)
class _OwnerField:
    name: str
    source: str
    role: OwnerRole
    confidence: float
    text: str


def suggest_owners(data: bytes, metadata: EmbeddedMetadata | None = None) -> list[OwnerSuggestion]:
    """Return the presumed owners that an image file names.

    Args:
        data: the encoded file, of any content.
        metadata: what `find_metadata` took out of it; looked for where not given.

    Returns:
        Suggestions, those of the better fields first within XMP, IPTC-IIM, EXIF; empty where there are none.
    """
    metadata = find_metadata(data) if metadata is None else metadata
    if not (metadata.xmp or metadata.photoshop or metadata.exif or metadata.texts):
        return []  # Most pictures.
    properties, _ = read_packets(metadata.xmp)  # What is wrong with them, the reader of the signal reports.
    statement = next((url for url in properties.get(_WEB_STATEMENT, ()) if url.startswith(("http://", "https://"))), None)
    owner_fields = [*_from_xmp(properties), *_from_iim(metadata), *_from_exif(metadata), *_from_texts(metadata)]
    if statement and not any(owner_field.role == "rightsholder" for owner_field in owner_fields):
        owner_fields.extend(_from_statement(statement))
    return list(_suggestions(owner_fields, statement))


def _suggestions(owner_fields: Iterable[_OwnerField], statement: str | None) -> Iterator[OwnerSuggestion]:
    names_in_roles: set[tuple[str, str]] = set()
    for owner_field in owner_fields:
        key = (owner_field.name.casefold(), owner_field.role)
        if key in names_in_roles or len(names_in_roles) >= MAX_VALUES:
            continue
        names_in_roles.add(key)
        url = statement if owner_field.role == "rightsholder" else None
        try:
            owner = PresumedOwner(
                name=owner_field.name, url=url, role=owner_field.role, basis=EMBEDDED_BASIS, confidence=owner_field.confidence
            )
        except ValidationError:
            continue  # Too long for a name, or empty: no name.
        yield OwnerSuggestion(owner, owner_field.source, owner_field.text[:MAX_TEXT_CHARS])


def name_in_notice(notice: str) -> str:
    """Return what is left of a copyright notice when signs, years and formulas are taken away.

    >>> name_in_notice("Copyright © 2019-2024 Ada Lovelace. All rights reserved.")
    'Ada Lovelace'
    """
    words = _NOTICE_WORDS.sub(" ", notice[:MAX_TEXT_CHARS])
    return re.sub(r"\s+", " ", words).strip(" .,;:-–—/|")


def _read_names(text: str, source: str, role: OwnerRole, confidence: float) -> Iterator[_OwnerField]:
    # XML and IIM cannot hold it and databases refuse it; EXIF pads with it.
    text = text.replace("\x00", " ").strip()
    name = name_in_notice(text) if confidence == _NOTICE else text
    if name and not is_placeholder(name):
        yield _OwnerField(name, source, role, confidence, text)


def _from_xmp(properties: XmpProperties) -> Iterator[_OwnerField]:
    for key, source, role, confidence in _XMP_FIELDS:
        for value in properties.get(key, ()):
            yield from _read_names(value, source, role, confidence)


def _from_iim(metadata: EmbeddedMetadata) -> Iterator[_OwnerField]:
    for block in metadata.photoshop:
        for record, dataset, text in read_datasets(block):
            if (record, dataset) in _IIM_FIELDS:
                yield from _read_names(text, *_IIM_FIELDS[record, dataset])


def _from_exif(metadata: EmbeddedMetadata) -> Iterator[_OwnerField]:
    for block in metadata.exif:
        for tag, text in _exif_texts(block).items():
            if tag == _COPYRIGHT:
                # EXIF, Copyright: the photographer's notice and the editor's, parted by a zero.
                for notice in text.split("\x00"):
                    yield from _read_names(notice, "EXIF Copyright", "rightsholder", _NOTICE)
            else:
                for name in text.split(";"):
                    yield from _read_names(name, "EXIF Artist" if tag == _ARTIST else "EXIF XPAuthor", "creator", _NAMED)


def _from_texts(metadata: EmbeddedMetadata) -> Iterator[_OwnerField]:
    for keyword, text in metadata.texts:
        if keyword.casefold() in _PNG_FIELDS:
            role, confidence = _PNG_FIELDS[keyword.casefold()]
            yield from _read_names(text, f"PNG {keyword}", role, confidence)


def _exif_texts(block: bytes) -> dict[int, str]:
    if has_overlapping_fields(block):
        return {}  # Pillow loads all fields, each with its own copy of the bytes.
    exif = Image.Exif()
    try:
        # Pillow warns of damage and goes on with what it has, which is what is wanted here.
        silence_pillow()
        exif.load(b"Exif\x00\x00" + block)
        values = {tag: exif.get(tag) for tag in (_ARTIST, _XP_AUTHOR, _COPYRIGHT)}
    except Exception:  # Rule 5, for foreign bytes; the decoder states no list of what it raises.
        return {}
    return {tag: text for tag, value in values.items() if (text := _exif_text(tag, value))}


def _exif_text(tag: int, value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-16-le" if tag == _XP_AUTHOR else "utf-8", "replace")
    if isinstance(value, str):
        try:
            # Pillow reads ASCII fields as Latin-1; most writers put UTF-8 there.
            return value.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return value
    return ""


def _from_statement(statement: str) -> Iterator[_OwnerField]:
    try:
        host = urlsplit(statement).hostname
    except ValueError:
        return
    if host:
        yield _OwnerField(host, "XMP xmpRights:WebStatement", "rightsholder", _HOST, statement)
