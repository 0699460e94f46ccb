"""Pictures with XMP in them, in each container, and a PNG block by block."""

import struct
import zlib

from tests.support.factories import encode, picture

NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
VOCABULARY = "http://ns.useplus.org/ldf/vocab/"


def xmp(content: str = "", attributes: str = "") -> bytes:
    """A packet with one description that holds this."""
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF {names}><rdf:Description rdf:about="" {attributes}>{content}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


def data_mining(term: str) -> bytes:
    """A packet that states `plus:DataMining`."""
    return xmp(f"<plus:DataMining>{VOCABULARY}{term}</plus:DataMining>")


def png_block(kind: bytes, content: bytes) -> bytes:
    """One PNG block with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_blocks(*blocks: bytes) -> bytes:
    """A PNG with further blocks after its header."""
    data = encode(picture(1))
    header_bytes = 8 + 25
    return data[:header_bytes] + b"".join(blocks) + data[header_bytes:]


def with_xmp(packet: bytes, kind: str = "PNG") -> bytes:
    """A picture that carries a packet."""
    if kind == "PNG":
        return with_blocks(png_block(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + packet))
    return encode(picture(1), kind, xmp=packet)


def with_compressed_xmp(packet: bytes) -> bytes:
    """A PNG that carries a packet compressed."""
    return with_blocks(png_block(b"iTXt", b"XML:com.adobe.xmp\x00\x01\x00\x00\x00" + zlib.compress(packet, 9)))
