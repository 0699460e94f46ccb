"""What `sleeve audit extract` does before anything is compared; run as `python tests/bench/bench_extraction.py [generations]`.

Rules, in order:

1. 2,000 generations of 64 × 64 × 3 px, cut from the photographs that come with scikit-image; twelve of them stand in 20 places
   each, under light noise. Each of the twelve is to be found. Cuts of a plain sky may be found as well.
2. Timed: the relation of all pairs, and the whole of `find_cliques`.
3. The reference is plain NumPy on the pixels, one generation against all others at a time, tile by tile, for the first 50
   generations; its time is taken times the number of generations, and halved, since a pair need be looked at once only.
   Both must say the same of those rows.
4. Prints one JSON line.
"""

import json
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from services.audit.audits.extraction import CLIQUE_SIZE, find_cliques, relate
from shared.matching.panel.tile_distances import GRID, PEAK
from shared.matching.rules.tiled_l2 import THRESHOLD
from tests.bench.bench_ssim import cut_pictures

GENERATIONS, SHARED, TIMES, REFERENCE_ROWS = 2000, 12, 20, 50

Pixels = NDArray[np.uint8]


def draw_generations(count: int) -> tuple[Pixels, list[set[int]]]:
    """Return generations, uint8 (count, 3, 64, 64), and the places of each shared picture."""
    pictures, random = cut_pictures(count, 3), np.random.default_rng(0)
    places = random.permutation(count)[: SHARED * TIMES].reshape(SHARED, TIMES)
    for copies in places:
        noise = random.normal(0, 6, (TIMES, *pictures.shape[1:]))
        pictures[copies] = np.clip(pictures[copies[0]] + noise, 0, 255).astype(np.uint8)
    return pictures, [set(copies.tolist()) for copies in places]


def relate_plainly(generations: Pixels, rows: int) -> NDArray[np.bool_]:
    """Say of the first rows which generations are near identical to each, by Carlini et al. 2023, section 4.2."""
    side = generations.shape[2] // GRID
    scaled = generations.astype(np.float32)
    related = np.zeros((rows, len(generations)), dtype=np.bool_)
    for row in range(rows):
        squares = ((scaled - scaled[row]) ** 2).reshape(len(scaled), -1, GRID, side, GRID, side).mean(axis=(1, 3, 5))
        related[row] = np.sqrt(squares.max(axis=(1, 2))) / PEAK <= THRESHOLD
        related[row, row] = False
    return related


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else GENERATIONS
    generations, shared = draw_generations(count)
    marks = [perf_counter()]
    bits = relate(generations, THRESHOLD)
    marks.append(perf_counter())
    cliques = find_cliques(generations)
    marks.append(perf_counter())
    expected = relate_plainly(generations, REFERENCE_ROWS)
    marks.append(perf_counter())
    member_sets = [set(clique.members) for clique in cliques]
    if not np.array_equal(np.unpackbits(bits, axis=1, count=count)[:REFERENCE_ROWS].astype(np.bool_), expected):
        sys.exit("the relation is not that of the reference")
    if any(max(len(copies & members) for members in member_sets) < CLIQUE_SIZE for copies in shared):
        sys.exit("a shared picture was not found")
    relation, whole, reference = np.diff(marks).tolist()
    estimated = reference * count / REFERENCE_ROWS / 2
    result = {
        "generations": count,
        "cliques": len(member_sets),
        "shared_pictures": SHARED,
        "seconds": {"relation": round(relation, 2), "whole": round(whole, 2), "plain_numpy_estimated": round(estimated, 2)},
        "multiple_of_plain_numpy": round(estimated / whole, 2),
    }
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
