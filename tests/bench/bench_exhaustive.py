"""What bounds spare the exhaustive search; run as `python tests/bench/bench_exhaustive.py`.

Rules, in order:

1. Cuts of the photographs that come with scikit-image, and, where `../shared/data` holds them, tiles of 32 px and emoji of 64
   px: 1,000 views, and 20 generations that are not among them; and 20 generations that are views under light noise.
2. The search is compared with scoring every pair, in turns, in this process's own processor time; the best must be the same.
3. Prints one JSON line: by set, the share of pairs never looked at, and the multiple in speed.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.matching.ssim_search.best_ssim import pairwise_ssim
from shared.matching.ssim_search.exhaustive import find_exhaustive_best
from shared.matching.ssim_search.ssim_terms import build_terms
from shared.vision.views import ViewRecipe, build_view
from tests.bench.bench_ssim import cut_pictures

ROOT = Path(__file__).parents[2]
VIEWS, GENERATIONS, ROUNDS = 1000, 20, 3
SETS = {"dcss_tiles": 32, "openmoji": 64}


def load_pictures(name: str, side_px: int) -> NDArray[np.uint8]:
    """Load a set's pictures over white in a fixed random order, uint8 (n, 3, side, side)."""
    files = sorted((ROOT.parent / "shared" / "data" / name).rglob("*.png"))
    np.random.default_rng(0).shuffle(files)
    recipe, views = ViewRecipe(resolution_px=side_px, channels=3), []
    for file in files[: VIEWS + GENERATIONS]:
        with Image.open(file) as opened:
            picture = opened.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture)
        views.append(build_view(white.convert("RGB"), recipe))
    return np.stack(views)


def seconds(work: Callable[[], object]) -> float:
    """Time the fastest of a few rounds, in processor time."""
    taken = []
    for _ in range(ROUNDS):
        start = process_time()
        work()
        taken.append(process_time() - start)
    return min(taken)


def measure_set(generations: NDArray[np.uint8], views: NDArray[np.uint8]) -> dict[str, Any]:
    """Search both ways and compare."""
    terms = build_terms(views)
    best, scores = find_exhaustive_best(generations, terms), pairwise_ssim(generations, terms)
    if not np.array_equal(best.index, scores.argmax(axis=1)):
        sys.exit("expected the best of all scores, got another view")
    every = seconds(lambda: pairwise_ssim(generations, terms))
    pruned = seconds(lambda: find_exhaustive_best(generations, terms))
    return {
        "median_best": round(float(np.median(best.ssim)), 3),
        "pruned_share": round(best.pruned_share, 3),
        "multiple": round(every / pruned, 2),
    }


def main() -> None:
    """Measure and print."""
    sets = {"photographs": np.concatenate([cut_pictures(GENERATIONS, 2), cut_pictures(VIEWS, 1)])}
    sets |= {
        name: load_pictures(name, side) for name, side in SETS.items() if (ROOT.parent / "shared" / "data" / name).is_dir()
    }
    result = {}
    for name, pictures in sets.items():
        generations, views = pictures[:GENERATIONS], pictures[GENERATIONS:]
        noise = np.random.default_rng(1).normal(0, 8, generations.shape)
        copies = np.clip(views[:GENERATIONS] + noise, 0, 255).astype(np.uint8)
        result[name] = {"others": measure_set(generations, views), "copies": measure_set(copies, views)}
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
