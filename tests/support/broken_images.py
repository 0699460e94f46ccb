"""Pictures' files with their parts left out, doubled, emptied, too long or cut off: what hostile or careless writers make.

Rules, in order:

1. Every part of a file is treated in every way, for each format that is read. Nothing is random.
2. `truncated` lists what no reader may take: files that were cut off and then given a proper end.
"""

import struct
import zlib
from collections.abc import Iterator

from tests.support.factories import encode, picture

PNG_START = b"\x89PNG\r\n\x1a\n"
SIDE_PX = 64


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk with its CRC."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def palette_without_colours() -> bytes:
    """An 80-byte palette PNG that has no palette."""
    header = struct.pack(">IIBBBBB", 16, 16, 8, 3, 0, 0, 0)
    rows = zlib.compress(bytes(17 * 16), 9)
    return PNG_START + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def plain_files() -> dict[str, bytes]:
    """A good file of each format that is read, and of the ways to write it."""
    image, second = picture(1, SIDE_PX), picture(2, SIDE_PX)
    return {
        "png": encode(image),
        "png palette": encode(image.quantize(16)),
        "png alpha": encode(image.convert("RGBA")),
        "apng": encode(image, save_all=True, append_images=[second]),
        "jpeg": encode(image, "JPEG", quality=95),
        "jpeg progressive": encode(image, "JPEG", quality=95, progressive=True),
        "jpeg cmyk": encode(image.convert("CMYK"), "JPEG"),
        "mpo": encode(image, "MPO", save_all=True, append_images=[second]),
        "webp": encode(image, "WEBP"),
        "webp lossless": encode(image, "WEBP", lossless=True),
        "webp animated": encode(image, "WEBP", save_all=True, append_images=[second]),
        "gif": encode(image, "GIF"),
        "gif animated": encode(image, "GIF", save_all=True, append_images=[second]),
        "tiff": encode(image, "TIFF"),
        "tiff lzw": encode(image, "TIFF", compression="tiff_lzw"),
        "tiff deflate": encode(image, "TIFF", compression="tiff_adobe_deflate"),
        "bmp": encode(image, "BMP"),
        "avif": encode(image, "AVIF"),
    }


def broken_files() -> Iterator[tuple[str, bytes]]:
    """Yield each file with each of its parts left out, doubled, emptied and too long, and the file cut off at every tenth."""
    yield "palette without colours", palette_without_colours()
    for name, data in plain_files().items():
        for part, variants in _broken_parts(name, data):
            for change, changed in variants.items():
                yield f"{name}: {part} {change}", changed
        for tenth in range(10):
            yield f"{name}: cut at {tenth}0 %", data[: len(data) * tenth // 10]


def _broken_parts(name: str, data: bytes) -> Iterator[tuple[str, dict[str, bytes]]]:
    for number, (start, stop) in enumerate(parts_of(name, data)):
        part = data[start:stop]
        head = _head_bytes(name)
        shortened = _with_length(name, part, 0)[:head] + part[stop - start :]
        variants = {
            "left out": data[:start] + data[stop:],
            "doubled": data[:stop] + part + data[stop:],
            "empty": data[:start] + shortened + data[stop:],
            "too long": data[:start] + _with_length(name, part, 2**31 - 1) + data[stop:],
            "of zeros": data[:start] + part[:head] + bytes(len(part) - min(head, len(part))) + data[stop:],
        }
        yield f"part {number}", variants


def parts_of(name: str, data: bytes) -> list[tuple[int, int]]:
    """Return where a file's parts begin and end; of a format without parts, equal pieces."""
    if "png" in name:
        return _walk(data, 8, lambda at: 12 + int.from_bytes(data[at : at + 4]))
    if "webp" in name:
        return _walk(data, 12, lambda at: 8 + -(-int.from_bytes(data[at + 4 : at + 8], "little") // 2) * 2)
    if "avif" in name:
        return _walk(data, 0, lambda at: int.from_bytes(data[at : at + 4]))
    if "jpeg" in name or "mpo" in name:
        return _walk(data, 2, lambda at: 2 + int.from_bytes(data[at + 2 : at + 4]))
    return [(at, min(at + 32, len(data))) for at in range(0, min(len(data), 640), 32)]


def _walk(data: bytes, start: int, length: object) -> list[tuple[int, int]]:
    parts: list[tuple[int, int]] = []
    at = start
    while at + 8 <= len(data) and len(parts) < 12:
        stop = at + max(int(length(at)), 4)  # type: ignore[operator]
        parts.append((at, min(stop, len(data))))
        at = stop
    return parts


def _head_bytes(name: str) -> int:
    return 4 if "jpeg" in name or "mpo" in name else 8


def _with_length(name: str, part: bytes, length: int) -> bytes:
    """Return a part that states another length."""
    if "png" in name or "avif" in name:
        return struct.pack(">I", length) + part[4:]
    if "webp" in name:
        return part[:4] + struct.pack("<I", length) + part[8:]
    if "jpeg" in name or "mpo" in name:
        return part[:2] + struct.pack(">H", min(length, 65535)) + part[4:]
    return part[:4] + struct.pack("<I", length) + part[8:]


def truncated_files() -> Iterator[tuple[str, bytes]]:
    """Yield files that lack a part of their picture and end as if they were whole, and files that lack their end."""
    files = plain_files()
    for share in (0.5, 0.8):
        for name in ("jpeg", "jpeg progressive", "jpeg cmyk"):
            data = files[name]
            yield f"{name} cut at {share}, with an end", data[: int(len(data) * share)] + b"\xff\xd9"
            yield f"{name} cut at {share}", data[: int(len(data) * share)]
        yield f"png cut at {share}, with an end", forged_png(files["png"], share)
        yield f"gif cut at {share}, with an end", files["gif"][: int(len(files["gif"]) * share)] + b"\x00\x3b"
        for name in ("webp", "webp lossless"):
            yield f"{name} cut at {share}, with its lengths", forged_webp(files[name], share)
        for name in ("tiff", "tiff lzw", "bmp", "avif"):
            yield f"{name} cut at {share}", files[name][: int(len(files[name]) * share)]
    yield "png without IEND", files["png"][:-12]
    at = files["png"].index(b"IDAT")
    length = int.from_bytes(files["png"][at - 4 : at])
    crc = at + 4 + length
    yield "png with a bad IDAT CRC", files["png"][:crc] + b"\0\0\0\0" + files["png"][crc + 4 :]
    yield "jpeg without EOI", files["jpeg"][:-2]
    yield "gif without trailer", files["gif"].rstrip(b"\x3b")
    for name in ("webp", "webp animated"):
        for change in (-10, 100, -len(files[name]) // 2):
            stated = int.from_bytes(files[name][4:8], "little") + change
            yield f"{name} with a RIFF length off by {change}", files[name][:4] + struct.pack("<I", stated) + files[name][8:]


def forged_png(data: bytes, share: float) -> bytes:
    """A PNG whose pixels end early, with a CRC that holds and an IEND."""
    at = data.index(b"IDAT")
    length = int(int.from_bytes(data[at - 4 : at]) * share)
    return data[: at - 4] + png_chunk(b"IDAT", data[at + 4 : at + 4 + length]) + png_chunk(b"IEND", b"")


def forged_webp(data: bytes, share: float) -> bytes:
    """A WebP of one chunk whose picture ends early, with lengths that agree."""
    body = data[20:]
    body = body[: int(len(body) * share) // 2 * 2]
    chunk = data[12:16] + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk
