"""Embedding of 512 image files by ViT-B-32 against a bare forward pass; run as `python tests/bench/bench_embedding.py`.

Rules, in order:

1. Random weights: the arithmetic is the same, and nothing is downloaded.
2. The reference has its tensors ready in memory and only calls the model, in batches of the same size. Our way starts
   from PNG files: read, decode, preprocess, forward.
3. Both run in turns on eighths of the files, and each side's best round of every eighth counts, so that what else the
   machine does falls on both alike. Only the ratio means anything.
4. Prints one JSON line: images a second of both, and our time as a multiple of the reference's.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import open_clip
import torch
from PIL import Image
from skimage import data

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.vision.embedders.open_clip import OpenClipEmbedder
from shared.vision.embedders.pixels import PixelEmbedder
from shared.vision.embedding.streaming import BATCH_IMAGES, embed_files
from shared.vision.image_limits import ImageLimits

IMAGES, PARTS, ROUNDS = 512, 8, 3
# Side of the pictures: that of the sets in use.
SIDE_PX = 64
LIMITS = ImageLimits(max_bytes=1 << 20, max_px=1 << 20, min_side_px=8)


def save_pictures(folder: Path) -> list[Path]:
    """Cut pictures from the photographs that come with scikit-image."""
    rng = np.random.default_rng(0)
    photographs = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    paths = [folder / f"{number:03d}.png" for number in range(IMAGES)]
    for number, path in enumerate(paths):
        photograph = photographs[number % len(photographs)]
        top, left = (int(rng.integers(0, side - SIDE_PX + 1)) for side in photograph.shape[:2])
        Image.fromarray(photograph[top : top + SIDE_PX, left : left + SIDE_PX]).save(path)
    return paths


def bare_seconds(model: torch.nn.Module, tensors: torch.Tensor) -> float:
    """Time the model on ready tensors."""
    start = perf_counter()
    with torch.inference_mode():
        for batch in tensors.split(BATCH_IMAGES):
            model.encode_image(batch, normalize=True)  # type: ignore[operator]
    return perf_counter() - start


def our_seconds(embedder: OpenClipEmbedder | PixelEmbedder, paths: Sequence[Path]) -> float:
    """Time the way from files to vectors."""
    start = perf_counter()
    count = sum(len(batch) for batch in embed_files(embedder, paths, LIMITS))
    if count != len(paths):
        sys.exit(f"expected {len(paths)} vectors, got {count}")
    return perf_counter() - start


def main() -> None:
    """Measure and print."""
    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32")
    embedder, pixels = OpenClipEmbedder("untrained", model, preprocess), PixelEmbedder(16)
    with tempfile.TemporaryDirectory() as folder:
        paths = save_pictures(Path(folder))
        tensors = torch.stack([preprocess(Image.open(path).convert("RGB")) for path in paths])
        size = IMAGES // PARTS
        cuts = [slice(start, start + size) for start in range(0, IMAGES, size)]
        bare_seconds(model, tensors[cuts[0]])
        rounds = [
            [(bare_seconds(model, tensors[cut]), our_seconds(embedder, paths[cut])) for cut in cuts] for _ in range(ROUNDS)
        ]
        bare, ours = np.array(rounds).min(axis=0).sum(axis=0)
        pixel_seconds = min(our_seconds(pixels, paths) for _ in range(ROUNDS))
    result = {
        "images": IMAGES,
        "bare_images_per_second": round(IMAGES / bare, 1),
        "ours_images_per_second": round(IMAGES / ours, 1),
        "multiple_of_bare": round(ours / bare, 3),
        "pixels_images_per_second": round(IMAGES / pixel_seconds),
    }
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
