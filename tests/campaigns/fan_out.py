"""Matching by Ray beside the plain path on this machine, byte for byte the same; how long each takes.

    python -m tests.campaigns.fan_out

Rules, in order:

1. 1,000 items and 600 generations, 64 × 64 × 3 px, cut from the photographs that come with scikit-image; every item is a
   neighbour. What is timed is `match_against`: embedding, shortlist, best SSIM, suite, hashes, copy detector.
2. Both ways take turns, three times; the fastest of each counts. Ray's start and its first round, in which every
   process imports and loads what it needs, are stated apart.
3. Different bytes are exit status 1. Needs Ray (`pip install 'sleeve[ray]'`); the figures go to `docs/results/fan-out.json`.
"""

import json
import sys
from time import perf_counter
from typing import Any

from services.audit.comparison.matching import Corpus, Matched, Matcher, embed_views, match_against
from services.audit.comparison.ray_matcher import open_matcher
from shared.compute.threads import usable_cores
from shared.matching.copy_detection import CopyDetector
from shared.matching.training_set.duplicates import build_clusters
from shared.matching.training_set.training_set import TrainingSet
from shared.matching.training_set.view_hashes import hash_views
from shared.vision.embedders.pixels import PixelEmbedder
from shared.vision.views import Pixels
from tests.bench.bench_ssim import cut_pictures
from tests.campaigns.results import save_figures

ITEMS, GENERATIONS, NEIGHBOURS, ROUNDS = 1000, 600, 1000, 3
EMBEDDER = PixelEmbedder(16)


def build_corpus() -> Corpus:
    """Describe the items."""
    views, ids = cut_pictures(ITEMS, 1), [str(at) for at in range(ITEMS)]
    hashes = hash_views(views)
    side = TrainingSet(views, build_clusters(ids, views, hashes), hashes)
    return Corpus(tuple(ids), side, embed_views(views, EMBEDDER), CopyDetector.build(views))


def timed(match: Matcher, corpus: Corpus, pictures: Pixels) -> tuple[float, Matched]:
    """Match, and say how many seconds it took."""
    start = perf_counter()
    matched = match(corpus, pictures, EMBEDDER, NEIGHBOURS)
    return perf_counter() - start, matched


def is_same(matched: Matched, other: Matched) -> bool:
    """Whether two hold the same bytes, where the audit takes its figures from."""
    pairs: list[tuple[Any, Any]] = [
        (matched.vectors, other.vectors),
        (matched.matches.metrics.fsim, other.matches.metrics.fsim),
    ]
    pairs += [
        (getattr(matched.evidence, name), getattr(other.evidence, name)) for name in ("shortlists", "cosines", "best_ssim")
    ]
    if matched.evidence.copies is not None and other.evidence.copies is not None:
        pairs.append((matched.evidence.copies.scores, other.evidence.copies.scores))
    return all(first.tobytes() == second.tobytes() for first, second in pairs)


def main() -> None:
    """Measure, print and save."""
    corpus, pictures = build_corpus(), cut_pictures(GENERATIONS, 2)
    match_against(corpus, pictures[:8], EMBEDDER, NEIGHBOURS)  # loops are compiled once an installation
    plain_seconds, ray_seconds, same = [], [], True
    with open_matcher(by_ray=True) as match:
        first, _ = timed(match, corpus, pictures)
        for _ in range(ROUNDS):
            seconds, expected = timed(match_against, corpus, pictures)
            plain_seconds.append(round(seconds, 2))
            seconds, matched = timed(match, corpus, pictures)
            ray_seconds.append(round(seconds, 2))
            same = same and is_same(expected, matched)
    figures = {
        "cores": usable_cores(),
        "items": ITEMS,
        "generations": GENERATIONS,
        "plain_seconds": plain_seconds,
        "ray_seconds": ray_seconds,
        "ray_first_round_seconds": round(first, 2),
        "plain_over_ray": round(min(plain_seconds) / min(ray_seconds), 2),
        "same_bytes": same,
    }
    save_figures("fan-out", f"{usable_cores()} cores", figures)
    sys.stdout.write(json.dumps(figures) + "\n")
    if not same:
        sys.exit("the two ways gave different bytes")


if __name__ == "__main__":
    main()
