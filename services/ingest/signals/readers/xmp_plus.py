"""The PLUS property `plus:DataMining` in an image's XMP.

Rules, in order:

1. Every value found counts, in all packets of the file; the most restrictive wins.
2. Each prohibition in the vocabulary covers the training of a generator, so each denies; also those that refer to a
   constraint or a rights expression, whose text goes into the detail for a person to read.
3. Unspecified, an unknown value, or a packet that cannot be read is unknown.

Source: PLUS License Data Format, XMP specification, Data Mining property and controlled vocabulary
(http://ns.useplus.org/LDF/ldf-XMPSpecification#DataMining); IPTC Photo Metadata Standard 2023.1, Data Mining.
"""

from services.ingest.signals.containers import EmbeddedMetadata, find_metadata
from services.ingest.signals.signal import Signal, SignalReading, SignalVerdict, read_or_unknown
from services.ingest.signals.signal_reader import SignalReader
from services.ingest.signals.verdict import most_restrictive
from services.ingest.signals.xmp import XmpProperties, read_packets

_PLUS = "{http://ns.useplus.org/ldf/xmp/1.0/}"
_IPTC_EXTENSION = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_DATA_MINING = f"{_PLUS}DataMining"
# A value is the address of a term; the term is what follows this, and some writers give the term alone.
_VOCABULARY = "ns.useplus.org/ldf/vocab/"

# The vocabulary, whole.
VERDICTS: dict[str, SignalVerdict] = {
    "DMI-UNSPECIFIED": "unknown",
    "DMI-ALLOWED": "allow",
    "DMI-PROHIBITED": "deny",
    "DMI-PROHIBITED-AIMLTRAINING": "deny",
    "DMI-PROHIBITED-GENAIMLTRAINING": "deny",
    "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING": "deny",
    "DMI-PROHIBITED-SEECONSTRAINT": "deny",
    "DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR": "deny",
    "DMI-PROHIBITED-SEELINKEDRIGHTSEXPR": "deny",
}
# Where the terms that end in SEE… point.
_REFERRED = {
    "other_constraints": f"{_PLUS}OtherConstraints",
    "embedded_rights_expression": f"{_IPTC_EXTENSION}EmbdEncRightsExpr",
    "linked_rights_expression": f"{_IPTC_EXTENSION}LinkedEncRightsExpr",
    "rights_expression": f"{_IPTC_EXTENSION}EncRightsExpr",
    "rights_expression_link": f"{_IPTC_EXTENSION}LinkedRightsExpr",
}


def read_xmp_plus(data: bytes, metadata: EmbeddedMetadata | None = None) -> Signal | None:
    """Read `plus:DataMining` from an image file.

    Args:
        data: the encoded PNG, JPEG or WebP.
        metadata: what `find_metadata` took out of it; looked for where not given.

    Returns:
        The signal, with the digest of the XMP packets; None where there is no XMP or it does not state the property.
    """
    metadata = find_metadata(data) if metadata is None else metadata
    if not metadata.xmp and not metadata.errors:
        return None
    return read_or_unknown("xmp-plus-data-mining", b"".join(metadata.xmp) or data, lambda: _find(metadata))


def _find(metadata: EmbeddedMetadata) -> SignalReading | None:
    properties, unreadable = read_packets(metadata.xmp)
    finding = find_data_mining(properties)
    errors = [*metadata.errors, *unreadable]
    if not errors:
        return finding
    verdict, detail = finding or SignalReading("unknown", {})
    return SignalReading(most_restrictive([verdict, "unknown"]), {**detail, "error": "; ".join(errors)})


def find_data_mining(properties: XmpProperties) -> SignalReading | None:
    """Judge the property in a table of XMP properties; None where it is absent.

    >>> find_data_mining({_DATA_MINING: ("http://ns.useplus.org/ldf/vocab/DMI-ALLOWED",)}).verdict
    'allow'
    """
    values = properties.get(_DATA_MINING, ())
    if not values:
        return None
    verdict = most_restrictive(VERDICTS.get(_term(value), "unknown") for value in values)
    referred = {name: list(properties[key]) for name, key in _REFERRED.items() if key in properties}
    return SignalReading(verdict, {"values": list(values), **referred})


def _term(value: str) -> str:
    return value.strip().rpartition(_VOCABULARY)[2].upper()


READERS = (SignalReader("xmp-plus-data-mining", "image", lambda image: read_xmp_plus(image.raw, image.metadata), position=20),)
