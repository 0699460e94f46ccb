"""XMP packets read as a flat table: qualified property name to its values, as texts.

Rules, in order:

1. A document type declaration is refused, so nothing expands and nothing is fetched.
2. A property is read in every form that RDF allows it: attribute, text, resource, and items of a bag, sequence or alternative.
3. Fields of structures stand in the table under their own names.

Source: XMP Specification Part 1 (ISO 16684-1) section 7; Part 3 for the wrapping of packets.
"""

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from shared.errors import InputError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDF_RESOURCE = f"{{{RDF}}}resource"
_RDF_ITEM = f"{{{RDF}}}li"

# Our own bound: a packet with a long editing history has some thousands.
MAX_ELEMENTS = 50_000

XmpProperties = Mapping[str, tuple[str, ...]]


def parse_xmp(packet: bytes) -> XmpProperties:
    """Read one XMP packet.

    Args:
        packet: the packet as it stands in the file, with or without its `xpacket` wrapper and padding.

    Returns:
        For each property, by `{namespace}name`, its values in document order.

    Raises:
        InputError: it is no well-formed XML, declares a document type, or has too many elements.

    >>> rdf = b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:d="d:"><r:Description d:a="1"/></r:RDF>'
    >>> parse_xmp(rdf)["{d:}a"]
    ('1',)
    """
    try:
        root = defusedxml.ElementTree.fromstring(packet.strip(b"\x00 \t\r\n"), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise InputError(f"XMP packet cannot be read: {error!r}", code="xmp_damaged") from error
    return _properties(root)


def read_packets(packets: Iterable[bytes]) -> tuple[XmpProperties, list[str]]:
    """Read all packets of a file.

    Returns:
        One table of their values, in their order; and for each packet that cannot be read, why.
    """
    merged: dict[str, tuple[str, ...]] = {}
    errors = []
    for packet in packets:
        try:
            table = parse_xmp(packet)
        except InputError as error:
            errors.append(error.message)
            continue
        for name, values in table.items():
            merged[name] = merged.get(name, ()) + values
    return merged, errors


def _properties(root: Element) -> dict[str, tuple[str, ...]]:
    properties: dict[str, list[str]] = {}
    for number, element in enumerate(root.iter()):
        if number == MAX_ELEMENTS:
            raise InputError(f"XMP packet cannot be read: expected at most {MAX_ELEMENTS:,} elements", code="xmp_damaged")
        for name, value in element.attrib.items():
            if not name.startswith(f"{{{RDF}}}") and value.strip():
                properties.setdefault(name, []).append(value.strip())
        values = _values(element)
        if values:
            properties.setdefault(element.tag, []).extend(values)
    return {name: tuple(values) for name, values in properties.items()}


def _values(element: Element) -> list[str]:
    if element.tag == _RDF_ITEM:
        return []  # An item is a value of the property that it stands in, two levels up.
    texts = [element.get(_RDF_RESOURCE), element.text]
    for container in element:
        if container.tag.startswith(f"{{{RDF}}}"):
            texts.extend(text for item in container if item.tag == _RDF_ITEM for text in (item.get(_RDF_RESOURCE), item.text))
    return [text.strip() for text in texts if text and text.strip()]
