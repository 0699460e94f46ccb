"""Which picture format a file has, by its first bytes and never by its name.

Rules, in order:

1. Seven formats are read. Further ones are known by name, so that a refusal can say what the file is.
2. The first 512 bytes are enough. Nothing is parsed beyond signatures and the list of brands in an ISO file.

Sources: PNG 3 section 5.2; JPEG (ITU-T T.81) annex B; RFC 9649 (WebP); GIF89a; TIFF 6.0 and BigTIFF; ISO/IEC 14496-12 (`ftyp`)
with the brands of AVIF 1.1 and ISO/IEC 23008-12 (HEIF); ISO/IEC 15444-1 annex I (JPEG 2000); ISO/IEC 18181-2 (JPEG XL).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# How many bytes `recognise_image` looks at.
HEAD_BYTES = 512


@dataclass(frozen=True)
class ImageFormat:
    """A picture format.

    Attributes:
        name: what people call it.
        media_type: by the IANA registry; empty where it has none.
        decoder: Pillow's name of the decoder that reads it; None for a format that is not read.
    """

    name: str
    media_type: str
    decoder: str | None = None

    @property
    def is_read(self) -> bool:
        """Whether pictures of this format are decoded."""
        return self.decoder is not None


PNG = ImageFormat("PNG", "image/png", "PNG")
JPEG = ImageFormat("JPEG", "image/jpeg", "JPEG")
WEBP = ImageFormat("WebP", "image/webp", "WEBP")
GIF = ImageFormat("GIF", "image/gif", "GIF")
TIFF = ImageFormat("TIFF", "image/tiff", "TIFF")
BMP = ImageFormat("BMP", "image/bmp", "BMP")
AVIF = ImageFormat("AVIF", "image/avif", "AVIF")
READ_FORMATS = (PNG, JPEG, WEBP, GIF, TIFF, BMP, AVIF)
READ_NAMES = "PNG, JPEG, WebP, GIF, TIFF, BMP and AVIF"

HEIC = ImageFormat("HEIC", "image/heic")
JPEG_2000 = ImageFormat("JPEG 2000", "image/jp2")
JPEG_XL = ImageFormat("JPEG XL", "image/jxl")
CAMERA_RAW = ImageFormat("camera raw", "")

# Longer signatures first where one begins another.
_SIGNATURES: tuple[tuple[bytes, ImageFormat], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\x00\x10\x00\x00\x00CR", CAMERA_RAW),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"II+\x00", TIFF),
    (b"MM\x00+", TIFF),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"\xff\x0a", JPEG_XL),
    (b"II\xbc\x01", ImageFormat("JPEG XR", "image/jxr")),
    (b"IIRO", CAMERA_RAW),
    (b"IIU\x00", CAMERA_RAW),
    (b"FUJIFILMCCD-RAW", CAMERA_RAW),
    (b"8BPS", ImageFormat("Photoshop", "image/vnd.adobe.photoshop")),
    (b"gimp xcf ", ImageFormat("GIMP XCF", "image/x-xcf")),
    (b"\x76\x2f\x31\x01", ImageFormat("OpenEXR", "image/x-exr")),
    (b"#?RADIANCE", ImageFormat("Radiance HDR", "image/vnd.radiance")),
    (b"qoif", ImageFormat("QOI", "image/qoi")),
    (b"DDS ", ImageFormat("DDS", "image/vnd.ms-dds")),
    (b"\xabKTX ", ImageFormat("KTX", "image/ktx")),
    (b"FLIF", ImageFormat("FLIF", "image/flif")),
    (b"BPG\xfb", ImageFormat("BPG", "image/bpg")),
    (b"\x8aMNG\r\n\x1a\n", ImageFormat("MNG", "video/x-mng")),
    (b"\x8bJNG\r\n\x1a\n", ImageFormat("JNG", "image/x-jng")),
    (b"icns", ImageFormat("ICNS", "image/icns")),
    (b"\x00\x00\x01\x00", ImageFormat("ICO", "image/vnd.microsoft.icon")),
    (b"\x00\x00\x02\x00\x00\x00\x00\x00", ImageFormat("TGA", "image/x-tga")),
    (b"\x00\x00\x02\x00", ImageFormat("CUR", "image/vnd.microsoft.icon")),
    (b"\x0a\x05\x01", ImageFormat("PCX", "image/x-pcx")),
    (b"%!PS", ImageFormat("PostScript", "application/postscript")),
    (b"%PDF-", ImageFormat("PDF", "application/pdf")),
    (b"AT&TFORM", ImageFormat("DjVu", "image/vnd.djvu")),
    (b"SDPX", ImageFormat("DPX", "image/dpx")),
    (b"XPDS", ImageFormat("DPX", "image/dpx")),
    (b"farbfeld", ImageFormat("farbfeld", "")),
)
# Header sizes that a bitmap may state (Windows and OS/2); "BM" alone begins words as well.
_BITMAP_HEADER_BYTES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2"})
_NETPBM = re.compile(rb"P[1-7]\s[\s#\d]")
_SVG = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml.{0,400}?|<!--.{0,400}?|<!DOCTYPE.{0,400}?)?<svg[\s>]", re.DOTALL)


def recognise_image(data: bytes) -> ImageFormat | None:
    """Tell the format of a picture by its first bytes.

    Args:
        data: the file, or at least its first 512 bytes; any content.

    Returns:
        The format, read or known by name; None where the bytes are no picture that is known.

    >>> recognise_image(b"GIF89a...").name, recognise_image(bytes.fromhex("ff0a00")).is_read, recognise_image(b"a,b,c")
    ('GIF', False, None)
    """
    head = bytes(data[:HEAD_BYTES])
    for signature, image_format in _SIGNATURES:
        if head.startswith(signature):
            return image_format
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BITMAP_HEADER_BYTES:
        return BMP
    if head[4:8] == b"ftyp":
        return _recognise_brands(_brands(head))
    if _NETPBM.match(head):
        return ImageFormat("Netpbm", "image/x-portable-anymap")
    return ImageFormat("SVG", "image/svg+xml") if _SVG.match(head) else None


def _brands(head: bytes) -> list[bytes]:
    """Return the major brand of an ISO file, and the compatible ones after it."""
    end = min(int.from_bytes(head[:4]), len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))]


def _recognise_brands(brands: Iterable[bytes]) -> ImageFormat | None:
    for brand in brands:
        if brand in {b"avif", b"avis"}:
            return AVIF
        if brand == b"crx ":
            return CAMERA_RAW
        if brand in _HEIF_BRANDS - {b"mif1", b"msf1", b"mif2"}:
            return HEIC
    # What is left says "a picture in this container" and not how it is coded.
    return HEIC if not _HEIF_BRANDS.isdisjoint(brands) else None
