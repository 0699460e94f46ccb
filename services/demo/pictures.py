"""The demo's pictures: what scikit-image ships, written as imagefolders with the provenance that its documentation states.

Faces: `skimage.data.lfw_subset`, the first 100 of its 200 pictures, 25 × 25 px, grey. Photographs: those whose author or
releasing body the documentation names, cut into square tiles, one item a tile.

Source: https://scikit-image.org/docs/stable/api/skimage.data.html
"""

import io
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from shared.canonical import sha256_hex
from shared.files import save_atomically
from shared.vision.views import Pixels

DOCUMENTATION = "https://scikit-image.org/docs/stable/api/skimage.data.html"
FACES = 100  # lfw_subset: "100 first images are faces and subsequent 100 are non-faces"
TILE_PX = 100


@dataclass(frozen=True)
class Photograph:
    """A bundled photograph and what scikit-image's documentation says of it."""

    name: str
    title: str
    creator: str
    role: str
    licence: str
    source_url: str


# Titles, authors, licences and sources as in the docstrings of skimage.data 0.26.
PHOTOGRAPHS = (
    Photograph("astronaut", "Eileen Collins", "NASA", "publisher", "LicenseRef-public-domain", "https://flic.kr/p/r9qvLn"),
    Photograph("camera", "Cameraman", "Lav Varshney", "photographer", "CC0-1.0", f"{DOCUMENTATION}#skimage.data.camera"),
    Photograph(
        "chelsea",
        "Chelsea the cat",
        "Stefan van der Walt",
        "photographer",
        "CC0-1.0",
        f"{DOCUMENTATION}#skimage.data.chelsea",
    ),
    Photograph("coffee", "Coffee cup", "Rachel Michetti", "photographer", "CC0-1.0", f"{DOCUMENTATION}#skimage.data.coffee"),
    Photograph(
        "rocket",
        "Launch of DSCOVR on Falcon 9",
        "SpaceX",
        "publisher",
        "LicenseRef-public-domain",
        "https://www.flickr.com/photos/spacexphotos/16511594820/",
    ),
)


def write_faces(folder: Path) -> None:
    """Write the faces as an imagefolder; does nothing where its metadata is written already."""
    rows = []
    # Stored as floats of 0..1, whatever the documentation says of uint8.
    faces: Pixels = np.round(getattr(data, "lfw_subset")()[:FACES] * 255).astype(np.uint8)  # noqa: B009 - untyped loader
    for number, face in enumerate(faces):
        row = {
            "title": f"Face {number:03d} of lfw_subset",
            # Neither scikit-image nor LFW states a licence for the single pictures.
            "licence": "LicenseRef-not-stated",
            "source_url": f"{DOCUMENTATION}#skimage.data.lfw_subset",
            "creator": "Labeled Faces in the Wild, University of Massachusetts Amherst",
            "creator_url": "http://vis-www.cs.umass.edu/lfw/",
            "creator_role": "publisher",
            "note": "a news photograph; its photographer is not recorded in the data set",
        }
        rows.append((f"faces/{number:03d}.png", face, row))
    _write(folder, rows)


def write_photographs(folder: Path) -> None:
    """Write the photographs' tiles as an imagefolder; does nothing where its metadata is written already."""
    rows = []
    for photograph in PHOTOGRAPHS:
        pixels = getattr(data, photograph.name)()
        for row_number, top in enumerate(range(0, pixels.shape[0] - TILE_PX + 1, TILE_PX)):
            for column, left in enumerate(range(0, pixels.shape[1] - TILE_PX + 1, TILE_PX)):
                tile = pixels[top : top + TILE_PX, left : left + TILE_PX]
                record = {
                    "title": f"{photograph.title}, tile {row_number},{column}",
                    "licence": photograph.licence,
                    "source_url": photograph.source_url,
                    "creator": photograph.creator,
                    "creator_role": photograph.role,
                }
                rows.append((f"{photograph.name}/{row_number}-{column}.png", tile, record))
    _write(folder, rows)


def _write(folder: Path, rows: list[tuple[str, Pixels, dict[str, str]]]) -> None:
    metadata = folder / "metadata.jsonl"
    if metadata.exists():
        return
    lines = []
    for name, pixels, record in rows:
        encoded = encode_png(Image.fromarray(pixels))
        save_atomically(folder / name, encoded)
        origin = {"acquired_from": f"scikit-image {version('scikit-image')}, bundled", "sha256": sha256_hex(encoded)}
        lines.append(json.dumps({"file_name": name} | record | origin, ensure_ascii=False))
    # Written last: its presence says that every picture is there.
    save_atomically(metadata, ("\n".join(lines) + "\n").encode())


def encode_png(picture: Image.Image) -> bytes:
    """Encode a picture as PNG."""
    encoded = io.BytesIO()
    picture.save(encoded, format="PNG")
    return encoded.getvalue()
