"""An audit's comparison, from views to findings; run as `python tests/bench/bench_comparison.py [generations neighbours]`.

Rules, in order:

1. 10,000 generations and a manifest of 10,000 items, 64 × 64 × 3 px, cut from the photographs that come with scikit-image;
   shortlists of 1,000. Smaller numbers on the command line shrink the job; the manifest stays.
2. Timed, one after the other: pixel embeddings of both sides, exact neighbours, best SSIM, the suite on each best pair.
3. Prints one JSON line: seconds of each stage and of the whole.
"""

import json
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from shared.index.exact_neighbours import exact_neighbours
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.vision.embedding import open_embedder
from shared.vision.similarity.metrics import measure_similarity
from shared.vision.views import view_to_image
from tests.bench.bench_ssim import cut_pictures

ITEMS = 10_000
GENERATIONS = 10_000
NEIGHBOURS = 1000
EMBEDDER = "pixels:16"


def main() -> None:
    """Measure and print."""
    sizes = [int(text) for text in sys.argv[1:3]]
    generations, neighbours = sizes if len(sizes) == 2 else (GENERATIONS, NEIGHBOURS)
    made, views = cut_pictures(generations, 2), cut_pictures(ITEMS, 1)
    # Compiling is done once an installation.
    measure_similarity(made[:1], views[:1])
    best_ssim(made[:1], views[:8])
    marks = [perf_counter()]
    embedder = open_embedder(EMBEDDER)
    queries, corpus = (embedder.embed([view_to_image(view) for view in side]) for side in (made, views))
    marks.append(perf_counter())
    shortlists, _ = exact_neighbours(queries, corpus, neighbours)
    marks.append(perf_counter())
    index, score = best_ssim(made, views, shortlists)
    marks.append(perf_counter())
    suite = measure_similarity(views[index], made)
    marks.append(perf_counter())
    stages = dict(zip(("embed", "neighbours", "best_ssim", "suite"), np.diff(marks).round(2).tolist(), strict=True))
    result = {
        "generations": generations,
        "neighbours": shortlists.shape[1],
        "items": ITEMS,
        "seconds": {**stages, "whole": round(marks[-1] - marks[0], 2)},
        "largest_disagreement_of_search_and_suite": float(np.abs(suite.ssim - score).max()),
    }
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    main()
