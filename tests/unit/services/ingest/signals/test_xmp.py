"""XMP packets: properties as elements, attributes and lists; packets that cannot be read."""

import pytest

from services.ingest.signals.xmp import parse_xmp, read_packets
from shared.errors import InputError
from tests.unit.services.ingest.signals.xmp_pictures import NAMESPACES, xmp

CREATOR = f"{{{NAMESPACES['dc']}}}creator"
CREDIT = f"{{{NAMESPACES['photoshop']}}}Credit"


def test_elements_lists_and_attributes_are_properties() -> None:
    packet = xmp(
        "<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li><rdf:li>Bo</rdf:li></rdf:Seq></dc:creator>", 'photoshop:Credit="An"'
    )
    properties = parse_xmp(packet)
    assert (properties[CREATOR], properties[CREDIT]) == (("Ada", "Bo"), ("An",))


def test_a_declaration_of_entities_is_refused() -> None:
    with pytest.raises(InputError):
        parse_xmp(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')


def test_a_bad_packet_hides_no_good_one() -> None:
    properties, errors = read_packets([b"<broken", xmp("", 'photoshop:Credit="An"')])
    assert properties[CREDIT] == ("An",)
    assert len(errors) == 1
