"""Shortlist recall of picture descriptors: how often the best match of an exhaustive search is among the k nearest.

Run as `python -m tests.campaigns.recall`, or with the names of some sets; what is not run is kept. Writes
docs/results/recall.json and docs/results/recall.md. Takes a quarter of an hour on two cores. The sets are those
beside the project (SLEEVE_SHARED, else ../shared).

The designs were tuned on another split of the same sets; the figures here are of a split that none of them was tuned on.
"""

import json
import os
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray

from shared.index.exact_neighbours import exact_neighbours
from shared.vision.embedders.open_clip import OpenClipEmbedder
from tests.campaigns.descriptors import DESIGNS, Design
from tests.campaigns.recall_sets import RecallSet, build_set, load_pictures
from tests.support.paths import ROOT

DATA = Path(os.environ.get("SLEEVE_SHARED", ROOT.parent / "shared")) / "data"
RESULTS = ROOT / "docs" / "results"
SHORTLISTS = (10, 100, 1000)
# Scores this close are one score: float32 against float64.
SAME_SCORE = 1e-6
# Name: the data sets in it, and the side of the views that are compared.
SETS: dict[str, tuple[tuple[str, ...], int]] = {
    "dcss_tiles": (("dcss_tiles",), 32),
    "openmoji": (("openmoji",), 72),
    "all four sets": (("dcss_tiles", "openmoji", "game_icons", "omniglot"), 32),
}
# The untrained network is slow; it judges every fourth query of the two smaller sets.
FLOOR = "ViT-B-32, untrained"
FLOOR_EVERY = 4
FLOOR_SETS = ("dcss_tiles", "openmoji")
INTRODUCTION = """# Shortlist recall of picture descriptors

Share of queries whose best match by SSIM, found by comparing with every registered picture, is among the k nearest by
the descriptor: held-out pictures of the same sets / degraded copies of registered ones (JPEG, noise, blur, shift). Made by
`python -m tests.campaigns.recall`; what follows from it: docs/adr/0008-pixel-descriptor.md.

The designs were tuned on another split of the same sets, not on other sets. Where a set has fewer than k registered
pictures, every design finds everything. The fitted designs learn from the registered pictures: their map is another one for
every set."""


def measure(recall_set: RecallSet, design: Design, every: int = 1) -> dict[str, Any]:
    """Measure one design on one set, on every n-th query."""
    start = perf_counter()
    describe = design(recall_set.registered)
    corpus, queries = describe(recall_set.registered), describe(recall_set.queries[::every])
    seconds = perf_counter() - start
    nearest, _ = exact_neighbours(queries, corpus, max(SHORTLISTS))
    ssim, held_out = recall_set.ssim[::every], recall_set.held_out[::every]
    best = ssim.max(axis=1)
    is_found = {k: np.take_along_axis(ssim, nearest[:, :k], axis=1).max(axis=1) >= best - SAME_SCORE for k in SHORTLISTS}
    return {
        "dimensions": corpus.shape[1],
        "milliseconds_a_picture": round(1000 * seconds / (len(corpus) + len(queries)), 3),
        "held_out": {"queries": int(held_out.sum())} | _shares(is_found, held_out),
        "degraded": {"queries": int((~held_out).sum())} | _shares(is_found, ~held_out),
    }


def _shares(is_found: dict[int, NDArray[np.bool_]], which: NDArray[np.bool_]) -> dict[str, float]:
    return {str(k): round(float(hits[which].mean()), 4) for k, hits in is_found.items()}


def untrained() -> Design:
    """The floor: an open_clip network with random weights, fixed seed."""
    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32")
    embedder = OpenClipEmbedder("untrained", model, preprocess)
    return lambda _: embedder.embed


def build_one(name: str) -> RecallSet:
    """Build one of the sets: tiles at their own size, emoji at theirs, and everything at 32 px."""
    parts, view_px = SETS[name]
    return build_set(name, [picture for part in parts for picture in load_pictures(DATA, part)], view_px)


def describe_set(recall_set: RecallSet) -> dict[str, Any]:
    """Say what was asked among what."""
    best = recall_set.ssim.max(axis=1)
    floor = {FLOOR: measure(recall_set, untrained(), FLOOR_EVERY)} if recall_set.name in FLOOR_SETS else {}
    return {
        "view_px": recall_set.view_px,
        "registered": len(recall_set.registered),
        "median_best_ssim_held_out": round(float(np.median(best[recall_set.held_out])), 4),
        "designs": {name: measure(recall_set, design) for name, design in DESIGNS.items()} | floor,
    }


def build_page(results: dict[str, Any]) -> str:
    """Write the tables."""
    lines = [INTRODUCTION]
    for name, result in results.items():
        lines += ["", f"## {name}, {result['registered']:,} registered, compared at {result['view_px']} px", ""]
        some = next(iter(result["designs"].values()))
        queries = f"{some['held_out']['queries']} held-out queries, {some['degraded']['queries']} degraded ones"
        lines += [f"{queries}; median best SSIM of the held-out ones {result['median_best_ssim_held_out']:.2f}.", ""]
        lines += ["| descriptor | width | k = 10 | k = 100 | k = 1,000 |", "|---|---|---|---|---|"]
        for design, row in result["designs"].items():
            cells = [f"{row['held_out'][str(k)]:.3f} / {row['degraded'][str(k)]:.3f}" for k in SHORTLISTS]
            few = f" ({row['held_out']['queries']} + {row['degraded']['queries']} queries)" if design == FLOOR else ""
            lines.append(f"| {design}{few} | {row['dimensions']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure the sets that are named, or all, and write."""
    path = RESULTS / "recall.json"
    for name in sys.argv[1:] or SETS:
        measured = describe_set(build_one(name))
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        results = {set_name: (kept | {name: measured})[set_name] for set_name in SETS if set_name in kept or set_name == name}
        path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (RESULTS / "recall.md").write_text(build_page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
