"""Factories: real pictures, registrations, items and imagefolders, small and different from each other."""

import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from services.ingest.items.schemas import Registration
from services.ingest.registration.service import prepare_item, record_item
from shared.records.items import Item, load_item
from shared.workspace import Workspace

SIDE_PX = 24


def picture(seed: int, side_px: int = SIDE_PX) -> Image.Image:
    """A smooth colour picture that differs from every other seed's."""
    coarse = np.random.default_rng(seed).integers(0, 256, size=(5, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side_px, side_px), Image.Resampling.BICUBIC)


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """An image as the bytes of a file."""
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return out.getvalue()


def png(seed: int, side_px: int = SIDE_PX) -> bytes:
    """The bytes of a PNG."""
    return encode(picture(seed, side_px))


def registration(key: str = "one.png", **changed: Any) -> Registration:
    """A complete record."""
    record = {
        "dataset": "works",
        "source_key": key,
        "title": "A work",
        "licence": "CC-BY-4.0",
        "archival_link": {"original_url": f"https://example.org/{key}", "version_date": "2026-01-31"},
        "acquirer": "Ada Acquirer",
        "owners": [{"name": "Olga Owner", "basis": "dataset metadata", "confidence": 0.7}],
        "diligence": [
            {
                "source": "dataset metadata",
                "query": "Olga Owner",
                "searched_at": "2026-01-31T12:00:00Z",
                "result": "creator named",
            }
        ],
    }
    return Registration.model_validate(record | changed)


def register(workspace: Workspace, key: str, data: bytes, **changed: Any) -> Item:
    """Register one item and integrate the log."""
    prepared = prepare_item(registration(key, **changed), data, workspace.blobs, workspace.limits)
    with workspace.writing() as session:
        item = load_item(session, record_item(session, prepared).item_id)
    workspace.log.integrate()
    return item


def imagefolder(folder: Path, count: int, **changed: Any) -> Path:
    """An imagefolder of different pictures with complete rows; `changed` replaces columns of all rows."""
    (folder / "images").mkdir(parents=True)
    lines = []
    for number in range(count):
        name = f"images/{number:03d}.png"
        (folder / name).write_bytes(png(number))
        row = {
            "file_name": name,
            "title": f"Work {number}",
            "creator": f"Creator {number % 3}",
            "creator_url": f"https://example.org/creator/{number % 3}",
            "licence": "CC0-1.0",
            "source_url": f"https://example.org/works/{number}",
            "keywords": ["a", "b"],
        }
        lines.append(json.dumps(row | changed))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def png_of_size(width_px: int, height_px: int) -> bytes:
    """A tiny PNG file whose header claims a size; its pixels are all zero and compress to almost nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width_px, height_px, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
