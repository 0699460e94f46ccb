"""Where PNG, JPEG and WebP files keep their metadata, found without decoding the picture.

Rules, in order:

1. The first bytes say which container it is. Those of other formats are in `further_containers`.
2. A length in the file is only followed, never trusted: a slice ends where the file ends, and the walk stops there.
3. The number of blocks and the size of what is taken out are bounded; what is beyond is an error that readers report.

Source: PNG (W3C, third edition) sections 5 and 11.3; JPEG (ITU-T T.81) annex B; WebP (RFC 9649) section 2; where each
keeps its metadata: XMP Specification Part 3 sections 1.1.3 (JPEG) and 1.1.5 (PNG), C2PA Technical Specification 2.2,
"Embedding manifests into various file formats".
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.ingest.signals.further_containers import FurtherMetadata, find_further_metadata
from shared.errors import InputError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"
# Our own bounds. A PNG of 100 MB in the usual blocks of 8 kB has 12,800 of them.
MAX_BLOCKS = 100_000
MAX_XMP_BYTES = 512 * 1024
MAX_PACKETS = 20

# Section 11.3.3: the blocks of text, and the keywords that speak of whose a picture is and what may be done with it.
_PNG_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_PNG_KEYWORDS = frozenset(
    {b"author", b"artist", b"creator", b"copyright", b"rights", b"license", b"licence", b"disclaimer", b"keywords", b"tags"}
)
MAX_TEXT_BYTES = 64 * 1024
MAX_TEXT_CHARS = 4000

_XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\x00"
_XMP_EXTENSION_IN_JPEG = b"http://ns.adobe.com/xmp/extension/\x00"
# XMP Part 3 section 1.1.3.1: digest of the whole (32), its length (4), this portion's offset (4).
_XMP_EXTENSION_HEADER_BYTES = 40
_XMP_IN_PNG = b"XML:com.adobe.xmp\x00"
_EXIF_IN_JPEG = b"Exif\x00\x00"
_IIM_IN_JPEG = b"Photoshop 3.0\x00"
# ITU-T T.81 annex B: markers that stand alone, without a length: TEM, RST0 to RST7, SOI.
_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


@dataclass
class EmbeddedMetadata:
    """What a file holds: XMP, EXIF, Photoshop resources with IPTC-IIM, a PNG's texts, and the C2PA manifest store."""

    media_type: str | None = None
    xmp: list[bytes] = field(default_factory=list)
    exif: list[bytes] = field(default_factory=list)
    photoshop: list[bytes] = field(default_factory=list)
    c2pa: list[bytes] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add_xmp(self, packet: bytes) -> None:
        """Keep an XMP packet; an error where the file has more of it than is read."""
        length = sum(map(len, self.xmp)) + len(packet)
        if length <= MAX_XMP_BYTES and len(self.xmp) < MAX_PACKETS:
            self.xmp.append(packet)
        else:
            self.add_error(f"XMP too long: expected at most {MAX_XMP_BYTES:,} bytes in {MAX_PACKETS} packets, got more")

    def take(self, further: FurtherMetadata) -> None:
        """Keep what was found in a file of another format."""
        self.media_type = further.image_format.media_type
        for packet in further.xmp:
            self.add_xmp(packet)
        self.exif, self.photoshop, self.c2pa = further.exif, further.photoshop, further.c2pa

    def add_error(self, message: str) -> None:
        """Keep what could not be taken out, of the first few."""
        if len(self.errors) < MAX_PACKETS:
            self.errors.append(message)

    def add_exif(self, block: bytes) -> None:
        """Keep an EXIF block, of the first few; a file has one."""
        if len(self.exif) < MAX_PACKETS:
            self.exif.append(block)

    def add_photoshop(self, block: bytes) -> None:
        """Keep a block of Photoshop resources, of the first few."""
        if len(self.photoshop) < MAX_PACKETS:
            self.photoshop.append(block)

    def add_text(self, keyword: str, text: str) -> None:
        """Keep a text and its keyword, of the first few."""
        if len(self.texts) < MAX_PACKETS:
            self.texts.append((keyword, text[:MAX_TEXT_CHARS]))


def find_metadata(data: bytes) -> EmbeddedMetadata:
    """Take the metadata out of an image file.

    Args:
        data: the encoded file, of any size and content.

    Returns:
        The blocks in the order of the file; empty where it is no picture. `errors` says what could not be taken out.
    """
    metadata = EmbeddedMetadata()
    try:
        if data.startswith(PNG_SIGNATURE):
            _collect_png(data, metadata)
        elif data.startswith(JPEG_START):
            _collect_jpeg(data, metadata)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            _collect_webp(data, metadata)
        elif (further := find_further_metadata(data)) is not None:
            metadata.take(further)
    except InputError as error:
        metadata.add_error(error.message)
    return metadata


def _collect_png(data: bytes, metadata: EmbeddedMetadata) -> None:
    metadata.media_type = "image/png"
    for kind, start, end in _png_blocks(data):
        if kind == b"caBX":
            metadata.c2pa.append(data[start:end])
        elif kind == b"eXIf":
            metadata.add_exif(data[start:end])
        elif kind == b"iTXt" and data.startswith(_XMP_IN_PNG, start):
            _collect_png_text(data[start + len(_XMP_IN_PNG) : end], metadata)
        elif kind in _PNG_TEXTS and bytes(data[start : start + 80]).partition(b"\x00")[0].lower() in _PNG_KEYWORDS:
            _collect_keyword(kind, data[start:end], metadata)


def _collect_keyword(kind: bytes, block: bytes, metadata: EmbeddedMetadata) -> None:
    """Keep a text of the keywords that are read; one that cannot be read says nothing."""
    keyword, _, rest = block.partition(b"\x00")
    is_compressed, encoding = kind == b"zTXt", "latin-1"
    if kind == b"zTXt":
        rest = rest[1:]
    elif kind == b"iTXt":
        is_compressed, encoding = rest[:1] == b"\x01", "utf-8"
        rest = rest[2:].partition(b"\x00")[2].partition(b"\x00")[2]
    try:
        text = zlib.decompressobj().decompress(rest, MAX_TEXT_BYTES) if is_compressed else rest[:MAX_TEXT_BYTES]
    except zlib.error:
        return
    metadata.add_text(keyword.decode("latin-1"), text.decode(encoding, "replace").replace("\x00", " ").strip())


def _png_blocks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = len(PNG_SIGNATURE)
    for _ in range(MAX_BLOCKS):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at + 8, min(at + 8 + length, len(data))
        at += 12 + length
    raise InputError(f"too many blocks in the file: expected at most {MAX_BLOCKS:,}", code="too_many_blocks")


def _collect_png_text(text: bytes, metadata: EmbeddedMetadata) -> None:
    # Section 11.3.3.4: compression flag, method, language and translated keyword, each ended by a zero, then the text.
    compressed = text[:1] == b"\x01"
    parts = text[2:].split(b"\x00", 2)
    if len(parts) < 3:
        metadata.add_error("PNG text block with XMP ends before its text")
        return
    try:
        metadata.add_xmp(zlib.decompressobj().decompress(parts[2], MAX_XMP_BYTES + 1) if compressed else parts[2])
    except zlib.error as error:
        metadata.add_error(f"PNG text block with XMP does not decompress: {error}")


def _collect_jpeg(data: bytes, metadata: EmbeddedMetadata) -> None:
    metadata.media_type = "image/jpeg"
    extensions: dict[bytes, list[tuple[int, bytes]]] = {}
    for marker, start, end in _jpeg_segments(data):
        if marker == 0xE1 and data.startswith(_XMP_IN_JPEG, start):
            metadata.add_xmp(data[start + len(_XMP_IN_JPEG) : end])
        elif marker == 0xE1 and data.startswith(_XMP_EXTENSION_IN_JPEG, start):
            portion = data[start + len(_XMP_EXTENSION_IN_JPEG) : end]
            offset = int.from_bytes(portion[36:_XMP_EXTENSION_HEADER_BYTES])
            extensions.setdefault(portion[:32], []).append((offset, portion[_XMP_EXTENSION_HEADER_BYTES:]))
        elif marker == 0xE1 and data.startswith(_EXIF_IN_JPEG, start):
            metadata.add_exif(data[start + len(_EXIF_IN_JPEG) : end])
        elif marker == 0xED and data.startswith(_IIM_IN_JPEG, start):
            metadata.add_photoshop(data[start + len(_IIM_IN_JPEG) : end])
        elif marker == 0xEB and data.startswith(b"JP", start):
            metadata.c2pa.append(data[start:end])
    for portions in extensions.values():
        metadata.add_xmp(b"".join(part for _, part in sorted(portions)))


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    at = len(JPEG_START)
    for _ in range(MAX_BLOCKS):
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            return
        marker = data[at + 1]
        if marker in {_START_OF_SCAN, _END_OF_IMAGE}:
            return
        if marker in {0x00, 0xFF} or marker in _BARE_MARKERS:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4])
        yield marker, at + 4, min(at + 2 + length, len(data))
        at += 2 + max(length, 2)
    raise InputError(f"too many blocks in the file: expected at most {MAX_BLOCKS:,}", code="too_many_blocks")


def _collect_webp(data: bytes, metadata: EmbeddedMetadata) -> None:
    metadata.media_type = "image/webp"
    at = 12
    for _ in range(MAX_BLOCKS):
        if at + 8 > len(data):
            return
        kind, length = struct.unpack_from("<4sI", data, at)
        block = slice(at + 8, min(at + 8 + length, len(data)))
        if kind == b"XMP ":
            metadata.add_xmp(data[block])
        elif kind == b"EXIF":
            # Some writers keep the JPEG prefix.
            metadata.add_exif(data[block].removeprefix(_EXIF_IN_JPEG))
        elif kind == b"C2PA":
            metadata.c2pa.append(data[block])
        at += 8 + length + length % 2
    raise InputError(f"too many blocks in the file: expected at most {MAX_BLOCKS:,}", code="too_many_blocks")
