"""Fit the shipped weights of copy detection on the tuning half: `python -m tests.campaigns.quality_fit`.

The descriptor is fitted on the tuning half's control and negatives, the fusion on practice copies of its registered items
against its control and negatives. Nothing of the judged half is read.
"""

import json
import sys

import numpy as np

from shared.matching.copy_detection.descriptor import SHIPPED as DESCRIPTOR_FILE
from shared.matching.copy_detection.detector import CopyDetector
from shared.matching.copy_detection.fitting import fit_descriptor, fit_fusion
from shared.matching.copy_detection.fusion import SHIPPED as FUSION_FILE
from shared.matching.copy_detection.fusion import SIGNS, Fusion, stack_evidence
from shared.matching.copy_detection.synthetic_copies import build_synthetic_copies
from tests.campaigns.quality_pictures import DATA, build_samples, load_pictures, stack_views

SEED = 20261122
BATCH = 256
# Half of the practice copies keep their place, as reposts mostly do; the descriptor's are all moved, which is harder.
STILL = 0.5


def stack_candidates(detector: CopyDetector, views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weigh every candidate of some views; evidence (n, k, e) and items (n, k)."""
    shortlist = detector.find_candidates(views)
    stacked = []
    for start in range(0, len(views), BATCH):
        rows = slice(start, start + BATCH)
        stacked.append(stack_evidence(detector.weigh(views[rows], shortlist.rows(rows))[0]))
    return np.concatenate(stacked), shortlist.items


def main() -> None:
    """Fit and write both files; with `--fusion`, keep the descriptor as it is."""
    tuning = build_samples(load_pictures(DATA))["tuning"]
    registered, control, negative = (stack_views(part) for part in (tuning.registered, tuning.control, tuning.negative))
    if "--fusion" not in sys.argv[1:]:
        DESCRIPTOR_FILE.parent.mkdir(exist_ok=True)
        fit_descriptor(np.concatenate([control, negative]), np.random.default_rng(SEED)).save(DESCRIPTOR_FILE)
    detector = CopyDetector.build(registered, fusion=Fusion(0.0, dict.fromkeys(SIGNS, 0.0), {}))
    copies, items = stack_candidates(detector, build_synthetic_copies(registered, np.random.default_rng(SEED + 1), STILL))
    hit = items == np.arange(len(registered))[:, None]
    is_candidate = hit.any(axis=1)
    others = np.concatenate([stack_candidates(detector, part)[0] for part in (control, negative)])
    provenance = {
        "made_by": "python -m tests.campaigns.quality_fit",
        "seed": SEED,
        "descriptor_sha256": detector.descriptor.sha256,
        "registered": len(registered),
        "practice_copies_found": int(is_candidate.sum()),
        "others": len(others),
        "pictures": "tuning half of docs/methods/quality.md",
    }
    fusion = fit_fusion(copies[is_candidate, hit[is_candidate].argmax(axis=1)], others, provenance)
    content = {"bias": fusion.bias, "weights": fusion.weights, "provenance": fusion.provenance}
    FUSION_FILE.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
