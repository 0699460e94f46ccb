"""Fit the weights of the rule of works on the tuning half: `python -m tests.campaigns.works_fit`.

Rules, in order:

1. Positives are copies and the item that they are of; sketches (edges) are left out, since nothing that is measured finds
   them. Negatives are other pictures, each by its match of the highest score under the weights so far.
2. The loss is logistic, photographs and flat art at half each, positives and negatives likewise, with a small ridge on the
   weights of evidence brought to one spread. No weight is negative (`evidence`, rule 3).

Writes `shared/matching/whole_picture/weights/picture-fusion-1.json`.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from shared.matching.whole_picture.detector import PictureDetections
from shared.matching.whole_picture.evidence import BY_PLACE, BY_VIEW, SHIPPED, PictureFusion
from tests.campaigns.works_samples import TRANSFORMS, WAYS, detect, load_half

FLAT_COPIES, FLAT_OTHERS = 60, 700
NAMES = [*BY_VIEW, *BY_PLACE]
RIDGE, ROUNDS = 1e-4, 8
LEFT_OUT = ("edges",)

Floats = NDArray[np.float64]


def stack(shown: PictureDetections) -> Floats:
    """Stack the evidence of a picture's matches, (m, e)."""
    return np.array([[asdict(match.evidence)[name] for name in NAMES] for match in shown.matches]).reshape(-1, len(NAMES))


def take_true(found: Sequence[PictureDetections], rows: Sequence[int]) -> Floats:
    """Take the evidence of the true item of each copy, where it is among the matches."""
    kept = [
        stack(shown)[at]
        for shown, row in zip(found, rows, strict=True)
        for at, match in enumerate(shown.matches)
        if match.item == row
    ]
    return np.array(kept).reshape(-1, len(NAMES))


def fit(positives: dict[str, Floats], negatives: dict[str, list[Floats]]) -> tuple[float, float, dict[str, float]]:
    """Fit biases and weights (rule 2); positives (p, e) and negatives (m, e) each by kind."""
    everything = np.concatenate([*positives.values(), *(rows for kind in negatives.values() for rows in kind)])
    spread = everything.std(axis=0) + 1e-9
    views = len(BY_VIEW)

    def score(rows: Floats, weights: Floats) -> Floats:
        scaled = rows / spread
        by_view = weights[0] + scaled[:, :views] @ weights[2 : 2 + views]
        return np.logaddexp(by_view, weights[1] + scaled[:, views:] @ weights[2 + views :])

    weights = np.array([-2.0, -3.0, 1.0, *[0.3] * len(BY_PLACE)])
    for _ in range(ROUNDS):
        hardest = {
            kind: np.array([rows[int(score(rows, weights).argmax())] for rows in pictures if len(rows)])
            for kind, pictures in negatives.items()
        }

        def loss(now: Floats, hardest: dict[str, Floats] = hardest) -> float:
            of_copies = np.mean([np.logaddexp(0, -score(rows, now)).mean() for rows in positives.values()])
            of_others = np.mean([np.logaddexp(0, score(rows, now)).mean() for rows in hardest.values()])
            return float(of_copies / 2 + of_others / 2 + RIDGE * (now[2:] ** 2).sum())

        bounds = [(None, None)] * 2 + [(0, None)] * len(NAMES)
        weights = np.asarray(minimize(loss, weights, method="L-BFGS-B", bounds=bounds).x)
    scaled = (weights[2:] / spread).round(4)
    return round(float(weights[0]), 4), round(float(weights[1]), 4), dict(zip(NAMES, scaled.tolist(), strict=True))


def main() -> None:
    """Measure the tuning half, fit, and write the weights."""
    sample = load_half("tuning")
    detector = sample.build_detector()
    photographs = range(len(sample.photographs.registered))
    positives: dict[str, list[Floats]] = {"photographs": [], "flat": []}
    for way in [way for way in WAYS if way not in LEFT_OUT]:
        copies = [copy.image for copy in sample.copy_photographs(way)]
        positives["photographs"].append(take_true(detect(detector, copies), [*photographs]))
        sys.stderr.write(f"{way}: {len(positives['photographs'][-1])} of {len(copies)} among the matches\n")
    for transform in TRANSFORMS:
        pictures, rows = sample.copy_flat(transform, FLAT_COPIES)
        positives["flat"].append(take_true(detect(detector, pictures), rows))
        sys.stderr.write(f"{transform}: {len(positives['flat'][-1])} of {len(pictures)} among the matches\n")
    others = {
        kind: [stack(shown) for shown in detect(detector, pictures)]
        for kind, pictures in sample.list_others(FLAT_OTHERS).items()
    }
    negatives = {"photographs": others["photographs"] + others["smooth and mixed"], "flat": others["flat"]}
    joined = {kind: np.concatenate(parts) for kind, parts in positives.items()}
    view_bias, place_bias, weights = fit(joined, negatives)
    provenance: dict[str, Any] = {
        "made_by": "python -m tests.campaigns.works_fit",
        "pictures": "tuning half of docs/methods/whole-picture.md",
        "corpus": len(sample.designs),
        "copies": {kind: len(rows) for kind, rows in joined.items()},
        "others": {kind: len(rows) for kind, rows in others.items()},
        "detector_of_views": detector.views.fusion.sha256,
        "regions": detector.regions.descriptor.sha256,
    }
    fusion = PictureFusion(view_bias, place_bias, weights, provenance)
    SHIPPED.write_text(json.dumps(asdict(fusion), indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(asdict(fusion)) + "\n")


if __name__ == "__main__":
    main()
