"""The pictures of the recall study: real sets split into registered and held out, and degraded copies of registered ones.

Rules, in order:

1. Pictures with the same bytes count once. The split is drawn by a fixed seed, not the one the designs were tuned on.
2. Queries are canonical views: of held-out pictures (as unlike as pictures of the same hand are), and of registered ones after
   JPEG, noise, blur and shift.
3. The answer of a query is its exhaustive best SSIM among all registered views. A shortlist holds it if one of its items
   reaches that score; equal pictures are equally good answers.
"""

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from shared.matching.ssim_search.best_ssim import pairwise_ssim
from shared.matching.ssim_search.ssim_terms import build_terms
from shared.vision.image_decoding import decode_image
from shared.vision.image_limits import ImageLimits
from shared.vision.views import ViewRecipe, build_view

LIMITS = ImageLimits(max_bytes=1 << 22, max_px=1 << 22, min_side_px=8)
SPLIT_SEED = 20260
# Queries a set: enough that a share of 0.99 has a 95 % interval narrower than ± 0.01.
HELD_OUT_QUERIES = 800
DEGRADED_QUERIES_A_KIND = 150
# Of the degradations: quality, noise in grey levels, blur and shift as shares of the side.
JPEG_QUALITY, NOISE_LEVELS, BLUR_SHARE, SHIFT_SHARE = 30, 16.0, 1 / 32, 1 / 24
KINDS = ("jpeg", "noise", "blur", "shift")


@dataclass(frozen=True)
class RecallSet:
    """Registered pictures, queries with their kinds, and every SSIM between them, float32 (queries, registered)."""

    name: str
    view_px: int
    registered: list[Image.Image]
    queries: list[Image.Image]
    held_out: NDArray[np.bool_]
    ssim: NDArray[np.float32]


def load_pictures(data: Path, name: str) -> list[Image.Image]:
    """Load the different pictures of one data set, upright RGB, in the order of their keys."""
    return [decode_image(blob, LIMITS).pixels for blob in dict.fromkeys(_blobs(data, name))]


def _blobs(data: Path, name: str) -> Iterator[bytes]:
    if name == "game_icons":
        with tarfile.open(data / "game_icons.tar") as archive:
            for member in archive:
                if member.name.endswith(".png"):
                    yield archive.extractfile(member).read()  # type: ignore[union-attr]
    elif name == "omniglot":
        yield from (row["bytes"] for row in pq.read_table(data / "omniglot.parquet", columns=["image"])["image"].to_pylist())
    else:
        for line in (data / name / "metadata.jsonl").read_text(encoding="utf-8").splitlines():
            yield (data / name / json.loads(line)["file_name"]).read_bytes()


def build_set(name: str, pictures: list[Image.Image], view_px: int) -> RecallSet:
    """Split pictures, make the queries, and compare each with every registered view."""
    rng = np.random.default_rng(SPLIT_SEED)
    order = rng.permutation(len(pictures))
    half = len(pictures) // 2
    registered = [pictures[at] for at in order[:half]]
    views = [_view(picture, view_px) for picture in registered]
    queries = [_view(pictures[at], view_px) for at in order[half:][:HELD_OUT_QUERIES]]
    held = len(queries)
    for kind in KINDS:
        chosen = rng.choice(half, min(DEGRADED_QUERIES_A_KIND, half), replace=False)
        queries += [degrade(views[at], kind, rng) for at in chosen]
    ssim = pairwise_ssim(_pixels(queries), build_terms(_pixels(views))).astype(np.float32)
    return RecallSet(name, view_px, registered, queries, np.arange(len(queries)) < held, ssim)


def degrade(picture: Image.Image, kind: str, rng: np.random.Generator) -> Image.Image:
    """Degrade a square RGB picture."""
    side = picture.width
    if kind == "jpeg":
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=JPEG_QUALITY)
        return Image.open(out).convert("RGB")
    if kind == "noise":
        levels = np.asarray(picture) + rng.normal(0, NOISE_LEVELS, (side, side, 3))
        return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    if kind == "blur":
        return picture.filter(ImageFilter.GaussianBlur(side * BLUR_SHARE))
    by = max(1, round(side * SHIFT_SHARE))
    return Image.fromarray(np.pad(np.asarray(picture), ((by, 0), (by, 0), (0, 0)), mode="edge")[:side, :side])


def _view(picture: Image.Image, view_px: int) -> Image.Image:
    return Image.fromarray(build_view(picture, ViewRecipe(resolution_px=view_px, channels=3)).transpose(1, 2, 0))


def _pixels(pictures: list[Image.Image]) -> NDArray[np.uint8]:
    return np.stack([np.asarray(picture).transpose(2, 0, 1) for picture in pictures])
