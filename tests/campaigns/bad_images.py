"""Images that mean harm, end early, or are two things at once; each with what has to become of it.

    python -m tests.campaigns.bad_images

Rules, in order:

1. `accepted` is what a careful reader takes: odd, yet whole. `refused` is what it must not take, or a code that says why.
2. `whole` is for what may be either: if it is accepted, then with the very pixels of the file that it was made from.
3. Everything is built here from the formats' own rules; nothing needs a downloaded file.

Source: PNG (W3C, third edition) sections 5 and 11; JPEG (ITU-T T.81) annexes B and G; WebP (RFC 9649) section 2; EXIF 2.32.
"""

import io
import itertools
import json
import struct
import sys
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from tests.campaigns.decoding import MAX_RSS_BYTES, MAX_SECONDS, Decoder, Outcome
from tests.campaigns.results import save_figures
from tests.support.factories import encode, picture, png_of_size

PNG_START = b"\x89PNG\r\n\x1a\n"
# The settings' own limits: 20 MiB encoded, 50 million pixels decoded.
MAX_BYTES = 20 * 2**20
SIDE_OF_MAX_PX = 7071
MAX_WEBP_PX = 40_000_000
ORIENTATION = 0x0112
XMP = b"XML:com.adobe.xmp\0"


@dataclass(frozen=True)
class Case:
    """One file, what is expected of it, and the file whose pixels it must have if it is taken."""

    name: str
    data: bytes
    expected: str
    original: bytes | None = None


def quick_cases() -> Iterator[Case]:
    """Yield the cases that are quickly built."""
    yield from plain()
    yield from polyglots()
    yield from truncations()
    yield from orientations()
    yield from png_bombs()
    yield from jpeg_bombs()
    yield from animations()


def large_cases() -> Iterator[Case]:
    """Yield the cases for which an encoder has to work through the most pixels."""
    yield from large_jpegs()
    yield from large_webps()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width_px: int, height_px: int, depth: int, colour: int) -> bytes:
    """A PNG's first chunk."""
    return PNG_START + chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, depth, colour, 0, 0, 0))


def zeros(length: int) -> bytes:
    """So many zeros as a zlib stream (RFC 1950), made of one compressed block again and again."""
    block_bytes = 2**20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(block_bytes)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(bytes(length % block_bytes)) + packer.flush()
    # Adler-32 of zeros: the first sum stays 1, the second counts them (RFC 1950 section 8.2).
    checksum = struct.pack(">I", (length % 65_521) << 16 | 1)
    return b"\x78\xda" + block * (length // block_bytes) + rest + checksum


def with_chunks(data: bytes, *chunks: bytes) -> bytes:
    """A PNG with further chunks before its pixels."""
    at = data.index(b"IDAT") - 4
    return data[:at] + b"".join(chunks) + data[at:]


def png_of_zeros(side_px: int, depth: int, colour: int, channels: int) -> bytes:
    """A complete black PNG that unpacks to very much more than it is."""
    row_bytes = 1 + (side_px * depth * channels + 7) // 8
    return header(side_px, side_px, depth, colour) + chunk(b"IDAT", zeros(row_bytes * side_px)) + chunk(b"IEND", b"")


def plain() -> Iterator[Case]:
    """Unusual files that nothing is wrong with, and files that are simply none."""
    image, grey = picture(1, 40), picture(1, 40).convert("L")
    sixteen = Image.fromarray(np.asarray(grey).astype(np.uint16) << 8)
    alpha = image.copy()
    alpha.putalpha(grey)
    for name, data in {
        "png 16-bit grey": encode(sixteen),
        "png palette": encode(image.convert("P")),
        "png palette with transparency": encode(image.convert("P"), transparency=0),
        "png 1-bit": encode(grey.convert("1")),
        "png grey and alpha": encode(alpha.convert("LA")),
        "png colour and alpha": encode(alpha),
        "png of the smallest size": encode(picture(1, 8)),
        "png 16-bit colour": header(8, 8, 16, 2) + chunk(b"IDAT", zeros(8 * 49)) + chunk(b"IEND", b""),
        "jpeg cmyk": encode(image.convert("CMYK"), "JPEG"),
        "jpeg grey": encode(grey, "JPEG"),
        "jpeg progressive": encode(image, "JPEG", progressive=True),
        "jpeg with several pictures (MPO)": encode(image, "MPO", save_all=True, append_images=[picture(2, 40)]),
        "webp lossless": encode(image, "WEBP", lossless=True),
        "webp with alpha": encode(alpha, "WEBP"),
    }.items():
        yield Case(name, data, "accepted")
    yield Case("empty", b"", "not_an_image")
    yield Case("one byte", b"\x89", "not_an_image")
    yield Case("words", b"These are words, not a picture.", "not_an_image")
    yield Case("1 × 1", encode(picture(1, 1)), "image_too_small")
    yield Case("100 megapixels", png_of_zeros(10_000, 1, 0, 1), "image_too_many_pixels")
    yield Case("one byte too many", encode(image).ljust(MAX_BYTES + 1, b"\0"), "image_too_large")


def polyglots() -> Iterator[Case]:
    """One file that is two things, and other formats under a picture's name."""
    image = picture(3, 40)
    data, jpeg = encode(image), encode(image, "JPEG")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("run.sh", "echo harm")
    page = b"<html><script>alert(1)</script></html>"
    comment = b"\xff\xfe" + struct.pack(">H", len(page) + 2) + page
    yield Case("png, then zip", data + archive.getvalue(), "accepted", data)
    yield Case("jpeg, then html", jpeg + page, "accepted", jpeg)
    yield Case("jpeg with html as its comment", jpeg[:2] + comment + jpeg[2:], "accepted", jpeg)
    yield Case("png with a page as text", with_chunks(data, chunk(b"tEXt", b"Comment\0" + page)), "accepted", data)
    yield Case("html, then jpeg", page + jpeg, "not_an_image")
    yield Case("zip, then png", archive.getvalue() + data, "not_an_image")
    Image.init()
    for kind in ("GIF", "TIFF", "BMP", "ICO", "PPM", "TGA", "PCX", "EPS", "PDF", "JPEG2000", "AVIF"):
        if kind in Image.SAVE:
            outcome = "accepted" if kind in {"GIF", "TIFF", "BMP", "AVIF"} else "image_format_unsupported"
            yield Case(f"{kind} under the name of a png", encode(image, kind), outcome)
    yield Case("heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "image_format_unsupported")
    yield Case(
        "svg", b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>', "image_format_unsupported"
    )


def boundaries(data: bytes) -> set[int]:
    """Where the parts of a PNG, JPEG or WebP file begin and end."""
    if data.startswith(PNG_START):
        at, places = 8, {0, 4, 8}
        while at < len(data):
            length = int.from_bytes(data[at : at + 4])
            places |= {at, at + 4, at + 8, at + 8 + length, at + 12 + length}
            at += 12 + length
        return places
    if data[:4] == b"RIFF":
        at, places = 12, {0, 4, 8, 12}
        while at < len(data):
            length = int.from_bytes(data[at + 4 : at + 8], "little")
            places |= {at, at + 4, at + 8, at + 8 + length}
            at += 8 + length + length % 2
        return places
    return {at + shift for at in range(len(data) - 1) if data[at] == 0xFF and data[at + 1] for shift in (0, 2, 4)}


def truncations() -> Iterator[Case]:
    """Files that end at a boundary of their structure, a byte before it, or a byte after it."""
    image = picture(4, 40)
    exif = Image.Exif()
    exif[ORIENTATION] = 1
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "words " * 20, zip=True)
    originals = {
        "png": encode(image, pnginfo=text, exif=exif, icc_profile=bytes(200)),
        "palette png": encode(image.convert("P"), transparency=0),
        "jpeg": encode(image, "JPEG", exif=exif, icc_profile=bytes(200)),
        "progressive jpeg": encode(image, "JPEG", progressive=True),
        "webp": encode(image, "WEBP", exif=exif, icc_profile=bytes(200)),
        "lossless webp": encode(image, "WEBP", lossless=True, exif=exif),
        "animated webp": encode(image, "WEBP", save_all=True, append_images=[picture(5, 40), picture(6, 40)]),
    }
    for name, data in originals.items():
        cuts = {at + shift for at in boundaries(data) for shift in (-1, 0, 1)}
        for at in sorted(cut for cut in cuts if 0 < cut < len(data)):
            yield Case(f"{name} cut at {at} of {len(data)}", data[:at], "whole", data)


def orientations() -> Iterator[Case]:
    """EXIF blocks that lie about themselves, and turns of the largest picture."""
    image = picture(7, 40)
    for value in (0, 9, 65535):
        exif = Image.Exif()
        exif[ORIENTATION] = value
        yield Case(f"jpeg, orientation {value}", encode(image, "JPEG", exif=exif), "accepted")
    for name, tiff in exif_blocks().items():
        yield Case(f"jpeg, exif {name}", encode(image, "JPEG", exif=b"Exif\0\0" + tiff), "either")
        yield Case(f"png, exif {name}", with_chunks(encode(image), chunk(b"eXIf", tiff)), "either")
        yield Case(f"webp, exif {name}", encode(image, "WEBP", exif=b"Exif\0\0" + tiff), "either")


def exif_blocks() -> dict[str, bytes]:
    """EXIF (TIFF) blocks with one thing wrong each."""
    entry = struct.Struct("<HHII")

    def block(*entries: bytes, following: int = 0) -> bytes:
        return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", following)

    return {
        "that ends in its header": b"II*\0\x08",
        "whose directory is beyond its end": b"II*\0" + struct.pack("<I", 2**31),
        "whose directory leads to itself": block(entry.pack(ORIENTATION, 3, 1, 6), following=8),
        "with itself as its EXIF directory": block(entry.pack(0x8769, 4, 1, 8)),
        "with 4 billion orientations": block(entry.pack(ORIENTATION, 3, 2**32 - 1, 8)),
        "with an orientation of no type": block(entry.pack(ORIENTATION, 99, 1, 6)),
        "with words as orientation": block(entry.pack(ORIENTATION, 2, 4, int.from_bytes(b"six\0", "little"))),
        "with a fraction as orientation": block(entry.pack(ORIENTATION, 5, 1, 26)) + struct.pack("<II", 1, 0),
        "with no orientation at all": block(entry.pack(ORIENTATION, 3, 0, 0)),
        "of 4,000 tags": block(*(entry.pack(tag, 3, 1, 1) for tag in range(1000, 5000))),
        "of the wrong magic": b"XX*\0\x08\0\0\0\0\0",
    }


def png_bombs() -> Iterator[Case]:
    """PNG files that unpack to far more than they are."""
    small = encode(picture(8, 40))
    many_zeros = zeros(2**30)
    yield Case("png that claims 60,000 × 60,000", png_of_size(60_000, 60_000), "image_too_many_pixels")
    yield Case("png that claims 2³¹ × 1", png_of_size(2**31 - 1, 1), "image_too_many_pixels")
    yield Case("png that claims no width", png_of_size(0, 10), "refused")
    for name, depth, colour, channels in (
        ("1-bit grey", 1, 0, 1),
        ("8-bit colour", 8, 2, 3),
        ("8-bit grey and alpha", 8, 4, 2),
        ("8-bit colour and alpha", 8, 6, 4),
        ("16-bit grey", 16, 0, 1),
        ("16-bit colour", 16, 2, 3),
        ("16-bit colour and alpha", 16, 6, 4),
    ):
        yield Case(f"png of the most pixels, {name}", png_of_zeros(SIDE_OF_MAX_PX, depth, colour, channels), "either")
    yield Case("png with a gigabyte behind its pixels", header(40, 40, 8, 2) + chunk(b"IDAT", many_zeros), "either")
    yield Case("png with a colour profile of a gigabyte", with_chunks(small, chunk(b"iCCP", b"p\0\0" + many_zeros)), "either")
    yield Case("png with compressed text of a gigabyte", with_chunks(small, chunk(b"zTXt", b"c\0\0" + many_zeros)), "either")
    international = b"c\0\x01\0en\0c\0"
    yield Case("png with iTXt of a gigabyte", with_chunks(small, chunk(b"iTXt", international + many_zeros)), "either")
    yield Case("png with XMP of a gigabyte", with_chunks(small, chunk(b"iTXt", XMP + b"\x01\0\0\0" + many_zeros)), "either")
    text = chunk(b"zTXt", b"c\0\0" + zeros(2**20 - 1))
    yield Case("png with 15,000 texts of a megabyte", with_chunks(small, text * 15_000)[:MAX_BYTES], "either")
    tiny = chunk(b"prVt", b"")
    yield Case("png of 1.7 million private chunks", with_chunks(small, tiny * (MAX_BYTES // 12 - 400)), "either")
    yield Case("png of 1.7 million empty IDAT", with_chunks(small, chunk(b"IDAT", b"") * (MAX_BYTES // 12 - 400)), "either")
    frame = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 40, 40, 0, 0, 1, 100, 0, 0))
    animation = chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + frame
    yield Case("apng that claims 2³¹ frames", with_chunks(small, animation), "either")
    frames = [picture(seed, 40) for seed in range(300)]
    yield Case("apng of 300 frames", encode(frames[0], save_all=True, append_images=frames[1:]), "accepted")
    xml = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
    )
    laughs = xml + b"]><x:xmpmeta xmlns:x='adobe:ns:meta/'>&j;</x:xmpmeta>"
    yield Case("png with XMP of a billion laughs", with_chunks(small, chunk(b"iTXt", XMP + b"\0\0\0\0" + laughs)), "accepted")


def jpeg_bombs() -> Iterator[Case]:
    """JPEG files that ask for far more work than their size says."""
    for scans in (100, 10_000, 300_000):
        yield Case(f"progressive jpeg of {scans:,} scans", jpeg_of_scans(SIDE_OF_MAX_PX, scans)[:MAX_BYTES], "either")
    yield Case("small progressive jpeg of 300,000 scans", jpeg_of_scans(64, 300_000)[:MAX_BYTES], "either")
    small = encode(picture(9, 40), "JPEG")
    segment = b"\xff\xe5\x00\x02"
    yield Case("jpeg of 5 million empty segments", (small[:2] + segment * (5 * 2**20 - 400) + small[2:]), "either")
    yield Case("jpeg of 20 million fill bytes", small[:2] + b"\xff" * (MAX_BYTES - 10_000) + small[2:], "either")
    yield Case("jpeg that claims 65,535 × 65,535", _resized(small, 65_535, 65_535), "image_too_many_pixels")
    # libjpeg fills what is missing before an end marker with grey, and tells of it in a warning that Pillow does not pass on.
    yield Case("jpeg that claims 7,071 × 7,071", _resized(small, SIDE_OF_MAX_PX, SIDE_OF_MAX_PX), "either")
    yield Case("jpeg that claims no height", _resized(small, 40, 0), "refused")
    tables = b"\xff\xdb\x00\x43\x00" + bytes(range(1, 65))
    yield Case("jpeg of 300,000 tables", small[:2] + tables * 290_000 + small[2:], "either")


def _resized(data: bytes, width_px: int, height_px: int) -> bytes:
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height_px, width_px) + data[at + 4 :]


def jpeg_of_scans(side_px: int, scans: int) -> bytes:
    """A grey progressive JPEG of which every scan says in a few bytes that nothing changes (ITU-T T.81 annex G.1.2.2)."""
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, side_px, side_px, 1) + b"\x01\x11\x00"
    quantisation = b"\xff\xdb\x00\x43\x00" + b"\x01" * 64
    # One code of one bit, 0: for AC, a run of 2¹⁴ + 14 further bits of blocks without a coefficient; for DC, no difference.
    ac = b"\xff\xc4" + struct.pack(">H", 20) + b"\x10" + b"\x01" + bytes(15) + b"\xe0"
    dc = b"\xff\xc4" + struct.pack(">H", 20) + b"\x00" + b"\x01" + bytes(15) + b"\x00"
    blocks = -((-side_px // 8) ** 2) if side_px % 8 == 0 else (side_px // 8 + 1) ** 2
    bits = ("0" + "1" * 14) * (abs(blocks) // 32_767 + 1)
    packed = int(bits.ljust(-(-len(bits) // 8) * 8, "1"), 2).to_bytes(-(-len(bits) // 8)).replace(b"\xff", b"\xff\0")
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00" + packed
    # The first one is of DC: a bit for each block.
    first = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + bytes(-(-abs(blocks) // 8))
    return b"\xff\xd8" + quantisation + frame + dc + ac + first + scan * (scans - 1) + b"\xff\xd9"


def animations() -> Iterator[Case]:
    """WebP files of many pictures, of which the first one is the picture."""
    frames = [picture(seed, 64) for seed in range(500)]
    data = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], method=0)
    yield Case("webp of 500 frames", data, "accepted")
    at = data.index(b"VP8X") + 8 + 4
    yield Case("webp that claims 2²⁴ × 2²⁴", data[:at] + b"\xff" * 6 + data[at + 6 :], "refused")


def large_jpegs() -> Iterator[Case]:
    """JPEG files of the most pixels, in the ways that cost a decoder most."""
    exif = Image.Exif()
    exif[ORIENTATION] = 5
    large = Image.new("RGB", (SIDE_OF_MAX_PX, SIDE_OF_MAX_PX), (9, 99, 199))
    yield Case("jpeg of the most pixels, turned", encode(large, "JPEG", exif=exif), "accepted")
    yield Case("progressive jpeg of the most pixels", encode(large, "JPEG", progressive=True, subsampling=0), "accepted")


def large_webps() -> Iterator[Case]:
    """WebP files of the most pixels, and of more."""
    # 14 bits hold a side of a WebP picture: 16,383 at most.
    flat = Image.new("RGB", (16_383, MAX_WEBP_PX // 16_383), (9, 99, 199))
    yield Case("lossless webp of the most pixels", encode(flat, "WEBP", lossless=True), "accepted")
    yield Case("webp of the most pixels", encode(flat, "WEBP", method=0), "accepted")
    beyond = Image.new("RGB", (16_383, 3051))
    yield Case("webp of 50 million pixels", encode(beyond, "WEBP", method=0), "image_too_many_pixels")
    frames = [Image.new("RGBA", flat.size, (n, n, n, 99)) for n in range(2)]
    animated = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], method=0, lossless=True)
    yield Case("webp of two frames of the most pixels", animated, "accepted")


def judge(cases: Iterable[Case], folder: Path) -> tuple[dict[str, Outcome], list[str]]:
    """Decode cases in a process of their own.

    Returns:
        What became of each by its name, and a line for each that came out otherwise than it must.
    """
    outcomes: dict[str, Outcome] = {}
    originals: dict[bytes, str | None] = {}
    wrong = []
    with Decoder(folder) as decoder:
        for case in cases:
            outcome = outcomes[case.name] = decoder.decode(case.data)
            if case.original is not None and case.original not in originals:
                originals[case.original] = decoder.decode(case.original).pixels_sha256
            if not _is_as_expected(case, outcome, originals.get(case.original or b"")):
                wrong.append(f"{case.name}: expected {case.expected}, got {outcome}")
    return outcomes, wrong


def _is_as_expected(case: Case, outcome: Outcome, original_sha256: str | None) -> bool:
    if outcome.is_defect or outcome.seconds >= MAX_SECONDS or outcome.rss_bytes >= MAX_RSS_BYTES:
        return False
    if outcome.outcome == "accepted" and case.original is not None and outcome.pixels_sha256 != original_sha256:
        return False
    match case.expected:
        case "either" | "whole":
            return True
        case "refused":
            return outcome.outcome != "accepted"
        case expected:
            return outcome.outcome == expected


def main() -> None:
    """Decode every case and keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes, wrong = judge(itertools.chain(quick_cases(), large_cases()), Path(folder))
    slowest = max(outcomes, key=lambda name: outcomes[name].seconds)
    figures = {
        "cases": len(outcomes),
        "outcomes": dict(Counter(outcome.outcome for outcome in outcomes.values()).most_common()),
        "slowest": slowest,
        "slowest_seconds": round(outcomes[slowest].seconds, 3),
        "rss_mib": max(outcome.rss_bytes for outcome in outcomes.values()) // 2**20,
        "otherwise_than_expected": wrong,
    }
    save_figures("bad-input", "cases", figures)
    print(json.dumps(figures, ensure_ascii=False, indent=2))  # noqa: T201
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()
