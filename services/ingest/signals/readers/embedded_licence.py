"""The licence that an image's own metadata names: `cc:license` and usage terms in XMP, `License` in a PNG's text.

Rules, in order:

1. The licence goes on record with its address and, where it has one, its SPDX id. It does not replace that of the item.
2. Whether a licence permits the training of a generator is for a person to say, so that the verdict is unknown, as for RSL.
3. A web statement of rights, or a notice, counts where it names a licence that is known by its address.

Source: Creative Commons, "XMP" (https://wiki.creativecommons.org/wiki/XMP): cc:license, xmpRights:WebStatement,
xmpRights:UsageTerms; PNG (W3C, third edition) section 11.3.3.2.
"""

import re
from collections.abc import Iterator

from services.ingest.signals.containers import EmbeddedMetadata, find_metadata
from services.ingest.signals.signal import Signal, SignalReading, read_or_unknown
from services.ingest.signals.signal_reader import SignalReader
from services.ingest.signals.xmp import XmpProperties, read_packets
from shared.licence_names import translate_licence

_CC = "{http://creativecommons.org/ns#}"
_XMP_RIGHTS = "{http://ns.adobe.com/xap/1.0/rights/}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_STATED = {f"{_CC}license": "XMP cc:license", f"{_DC}license": "XMP dc:license"}
# These say more than a licence, and count by an address in them.
_MENTIONED = {
    f"{_XMP_RIGHTS}WebStatement": "XMP xmpRights:WebStatement",
    f"{_XMP_RIGHTS}UsageTerms": "XMP xmpRights:UsageTerms",
    f"{_DC}rights": "XMP dc:rights",
}
_PNG_LICENCE, _PNG_NOTICE = frozenset({"license", "licence"}), frozenset({"copyright", "rights", "disclaimer"})
_ADDRESS = re.compile(r"https?://[^\s<>\"')]{1,500}")


def read_embedded_licence(data: bytes, metadata: EmbeddedMetadata | None = None) -> Signal | None:
    """Read the licence in an image file.

    Args:
        data: the encoded file.
        metadata: what `find_metadata` took out of it; looked for where not given.

    Returns:
        The signal, with the digest of the blocks that hold it; None where no licence is named.
    """
    metadata = find_metadata(data) if metadata is None else metadata
    if not (metadata.xmp or metadata.texts):
        return None
    raw = b"".join([*metadata.xmp, *(text.encode() for _, text in metadata.texts)])
    return read_or_unknown("embedded-licence", raw, lambda: _find(metadata))


def _find(metadata: EmbeddedMetadata) -> SignalReading | None:
    properties, _ = read_packets(metadata.xmp)  # What is wrong with them, the reader of `plus:DataMining` reports.
    licences = list(dict.fromkeys([*_from_xmp(properties), *_from_texts(metadata)]))
    if not licences:
        return None
    named = [{"field": field, "licence": text, "spdx": spdx} for field, text, spdx in licences]
    return SignalReading("unknown", {"licences": named})


def _from_xmp(properties: XmpProperties) -> Iterator[tuple[str, str, str | None]]:
    for name, field in _STATED.items():
        yield from (_licence(field, text) for text in properties.get(name, ()))
    for name, field in _MENTIONED.items():
        yield from (licence for text in properties.get(name, ()) for licence in _mentioned(field, text))


def _from_texts(metadata: EmbeddedMetadata) -> Iterator[tuple[str, str, str | None]]:
    for keyword, text in metadata.texts:
        if keyword.casefold() in _PNG_LICENCE:
            yield _licence(f"PNG {keyword}", text)
        elif keyword.casefold() in _PNG_NOTICE:
            yield from _mentioned(f"PNG {keyword}", text)


def _licence(field: str, text: str) -> tuple[str, str, str | None]:
    spdx = translate_licence(text)
    return field, text, spdx if spdx != text.strip() else None


def _mentioned(field: str, text: str) -> Iterator[tuple[str, str, str | None]]:
    for address in _ADDRESS.findall(text):
        licence = _licence(field, address.rstrip(".,;"))
        if licence[2] is not None:
            yield licence


READERS = (
    SignalReader("embedded-licence", "image", lambda image: read_embedded_licence(image.raw, image.metadata), position=24),
)
