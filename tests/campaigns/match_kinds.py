"""What kind the gate gives to a match, by what was done to the copy: `python -m tests.campaigns.match_kinds [--tuning]`.

Pictures, halves and transforms are those of the quality benchmark (docs/methods/quality.md). Counted are the copies that fire
at 1 % on the control and name the right design; beside them the variants of a register, and negatives, whatever their score.
Writes docs/results/match-kinds.json; `--tuning` (the half that the bounds were set on) only prints.
"""

import json
import sys
from collections import Counter
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.match_classification import MatchMeasurements, classify, measure_matches
from shared.matching.copy_detection.synthetic_copies import build_synthetic_copies
from shared.vision.views import view_to_image
from tests.campaigns.quality_pictures import DATA, Sample, build_samples, design_of, load_pictures, stack_views
from tests.campaigns.quality_transforms import TRANSFORMS, transform_views
from tests.campaigns.results import save_figures

RATE = 0.01
POSITIVES = 500
SEED = 11
# A picture has colours from this mean difference of its largest and smallest channel on, levels.
COLOURED_LEVELS = 8
# Transforms that only change colours, asked of pictures that have some.
QUANTILES = (0.05, 0.5, 0.95)
COLOURS = ("saturation", "hue", "duotone")

Pixels = NDArray[np.uint8]


def turn_hue(views: Pixels, rng: np.random.Generator) -> Pixels:
    """Turn every hue of each picture by the same 85° to 275°."""
    changed = np.empty_like(views)
    for at, view in enumerate(views):
        levels = np.array(view_to_image(view).convert("HSV"))
        levels[..., 0] += np.uint8(rng.integers(60, 196))
        changed[at] = np.asarray(Image.fromarray(levels, "HSV").convert("RGB")).transpose(2, 0, 1)
    return changed


def paint_duotone(views: Pixels, rng: np.random.Generator) -> Pixels:
    """Paint each picture's luma between a dark and a light colour."""
    luma = np.einsum("nchw,c->nhw", views.astype(np.float64), np.array([0.299, 0.587, 0.114]))[:, None] / 255
    dark, light = (rng.integers(*levels, (len(views), 3))[..., None, None] for levels in ((0, 110), (150, 256)))
    return np.asarray(np.rint(dark * (1 - luma) + light * luma), dtype=np.uint8)


def crop_to_part(views: Pixels, rng: np.random.Generator) -> Pixels:
    """Keep 65 % of each side, 42 % of the area, anywhere."""
    side = views.shape[-1]
    changed = np.empty_like(views)
    for at, view in enumerate(views):
        left, top = rng.uniform(0, 0.35 * side, 2)
        box = (left, top, left + 0.65 * side, top + 0.65 * side)
        changed[at] = np.asarray(view_to_image(view).resize((side, side), Image.Resampling.BICUBIC, box=box)).transpose(
            2, 0, 1
        )
    return changed


def judge(sample: Sample) -> dict[str, Any]:
    """Count the kinds of one half, and time what they cost."""
    registered = stack_views(sample.registered)
    designs = np.array([design_of(picture) for picture in sample.registered])
    detector = CopyDetector.build(registered)
    threshold = detector.calibrate(stack_views(sample.control)).threshold(RATE)
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.choice(len(registered), min(POSITIVES, len(registered)), replace=False))
    levels = registered.astype(np.int16)
    coloured = np.flatnonzero((levels.max(axis=1) - levels.min(axis=1)).mean(axis=(1, 2)) > COLOURED_LEVELS)
    rows: dict[str, Any] = {}
    for name in ("same", *TRANSFORMS, "hue", "duotone", "crop_40", "practice"):
        of = np.sort(rng.choice(coloured, min(POSITIVES, len(coloured)), replace=False)) if name in COLOURS else chosen
        views = registered[of]
        if name in TRANSFORMS:
            views = transform_views(name, views)
        elif name != "same":
            made = {"hue": turn_hue, "duotone": paint_duotone, "crop_40": crop_to_part, "practice": build_synthetic_copies}
            views = made[name](views, rng)
        rows[name] = _count(detector, views, threshold, lambda items, of=of: designs[items] == designs[of])
    variants = np.array([design_of(picture) for picture in sample.variant])
    rows["variant"] = _count(detector, stack_views(sample.variant), threshold, lambda items: designs[items] == variants)
    negative = stack_views(sample.negative)
    rows["negative"] = _count(detector, negative, -np.inf, lambda items: np.ones(len(items), bool))
    rows["negative_fired"] = _count(detector, negative, threshold, lambda items: np.ones(len(items), bool))
    return {"registered": len(registered), "threshold": threshold, "kinds": rows, "milliseconds": _time(detector, negative)}


def _count(detector: CopyDetector, views: Pixels, threshold: float, is_right: Any) -> dict[str, Any]:
    detections = detector.detect(views)
    kept = (detections.scores > threshold) & is_right(detections.items)
    figures = measure_matches(views, detector.views, detections)
    named = [match for match, keep in zip(figures, kept, strict=True) if keep and match is not None]
    counts = Counter(map(classify, named))
    quantiles = {
        name: [round(float(value), 3) for value in np.quantile([float(getattr(match, name)) for match in named], QUANTILES)]
        for name in MatchMeasurements.__dataclass_fields__
        if named
    }
    return {"copies": len(views), "counted": len(named), "kinds": dict(counts.most_common()), "quantiles_5_50_95": quantiles}


def _time(detector: CopyDetector, views: Pixels) -> dict[str, float]:
    """Milliseconds that the kind of one match takes, beside finding it."""
    taken: dict[str, list[float]] = {"detect": [], "kind": []}
    for at in range(60):
        start = perf_counter()
        detections = detector.detect(views[at : at + 1])
        between = perf_counter()
        for match in measure_matches(views[at : at + 1], detector.views, detections):
            if match is not None:
                classify(match)
        taken["detect"].append(1000 * (between - start))
        taken["kind"].append(1000 * (perf_counter() - between))
    return {f"{name}_{word}": round(float(np.quantile(times, at)), 3) for name, times in taken.items() for word, at in _AT}


_AT = (("median", 0.5), ("p95", 0.95))


def main() -> None:
    """Judge and write down."""
    half = "tuning" if "--tuning" in sys.argv[1:] else "judged"
    figures = judge(build_samples(load_pictures(DATA))[half])
    for name, row in figures["kinds"].items():
        sys.stdout.write(f"{name}: {row['counted']} of {row['copies']}: {json.dumps(row['kinds'])}\n")
    sys.stdout.write(f"{json.dumps(figures['milliseconds'])}\n")
    if half == "judged":
        save_figures("match-kinds", half, figures)


if __name__ == "__main__":
    main()
