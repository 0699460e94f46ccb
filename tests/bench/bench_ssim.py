"""Speed of the SSIM search as a multiple of a loop over scikit-image; run as `python tests/bench/bench_ssim.py`.

Rules, in order:

1. Both sides run in one process, in turns, on the same pictures; each side's best round counts, so what else the machine
   does falls on both alike. Only the ratio means anything.
2. Pictures: 1,000 views of 64 × 64 × 3 px cut from the photographs that come with scikit-image; the generations are such
   cuts, not among the views.
3. Prints one JSON line: pairs a second of the loop, and for each way of searching its multiple of it.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from skimage import data
from skimage.metrics import structural_similarity

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.matching.ssim_search.best_ssim import best_ssim, pairwise_ssim
from shared.matching.ssim_search.ssim_terms import build_terms

SIDE_PX = 64
VIEWS = 1000
GENERATIONS = 16
ROUNDS = 12
LOOP_PAIRS = 100


def cut_pictures(count: int, seed: int) -> NDArray[np.uint8]:
    """Cut pictures at random places, uint8 (count, 3, 64, 64)."""
    rng = np.random.default_rng(seed)
    photographs = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    cuts = []
    for i in range(count):
        photograph = photographs[i % len(photographs)]
        top, left = (int(rng.integers(0, side - SIDE_PX + 1)) for side in photograph.shape[:2])
        cuts.append(photograph[top : top + SIDE_PX, left : left + SIDE_PX].transpose(2, 0, 1))
    return np.ascontiguousarray(np.stack(cuts))


def loop_over_scikit_image(generation: NDArray[np.uint8], views: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Score one generation against views, one call a pair."""
    picture = generation.transpose(1, 2, 0)
    others = [view.transpose(1, 2, 0) for view in views]
    return np.array([structural_similarity(picture, other, channel_axis=2, data_range=255) for other in others])


def seconds_a_pair(work: Callable[[], object], pairs: int) -> float:
    """Time one call of the work, divided by its pairs."""
    start = perf_counter()
    work()
    return (perf_counter() - start) / pairs


def main() -> None:
    """Measure and print."""
    views, generations = cut_pictures(VIEWS, 1), cut_pictures(GENERATIONS, 2)
    terms = build_terms(views)
    difference = np.abs(pairwise_ssim(generations[:1], terms)[0] - loop_over_scikit_image(generations[0], views)).max()
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "scikit_image": (lambda: loop_over_scikit_image(generations[0], views[:LOOP_PAIRS]), LOOP_PAIRS),
        "all_scores_one_generation": (lambda: pairwise_ssim(generations[:1], terms), VIEWS),
        "all_scores_block": (lambda: pairwise_ssim(generations, terms), VIEWS * GENERATIONS),
        "best_one_generation": (lambda: best_ssim(generations[:1], terms), VIEWS),
        "best_block": (lambda: best_ssim(generations, terms), VIEWS * GENERATIONS),
        "best_block_raw_views": (lambda: best_ssim(generations, views), VIEWS * GENERATIONS),
    }
    for work, _ in ways.values():
        work()
    rounds = [{name: seconds_a_pair(*way) for name, way in ways.items()} for _ in range(ROUNDS)]
    fastest = {name: min(taken[name] for taken in rounds) for name in ways}
    loop = fastest.pop("scikit_image")
    result = {
        "scikit_image_pairs_per_second": round(1 / loop),
        "multiple": {name: round(loop / seconds, 1) for name, seconds in fastest.items()},
        "largest_difference": float(difference),
    }
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
