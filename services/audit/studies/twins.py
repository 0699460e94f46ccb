"""Twins: models of disjoint slices of one size, held against each other.

There are two questions. Is a picture copied *because* a model was trained on it (`statistics.counterfactual`)? And do models
that share no training picture draw the same pictures from the same noise? Where they do, what they draw no longer depends on
the slice. Kadkhodaie et al. 2024 (arXiv:2310.02557) take that as the sign of generalisation, and its absence as the sign of
memorisation.

Rules, in order:

1. Pictures are compared with the union of the slices; the threshold is the control's over the same union.
2. Pictures of one seed are compared: picture i of the first twin and picture i of the second began from the same noise. Beside
   it stands the likeness of pictures from different noise: picture i and picture i + 1.
3. The two slices are one random draw: seeds repeat the training, not the draw. The difference is that of training on one slice
   or the other. The effect of a single picture is only coarsely separated from that of the rest of its slice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.audit.comparison.slice_calibration import SliceCalibration
from services.audit.statistics.counterfactual import CopyCounts, build_counterfactuals
from services.audit.studies.study_context import StudyContext
from shared.errors import InputError
from shared.matching.calibration.null_distribution import NullDistribution
from shared.matching.calibration.rate_intervals import build_rate, rate_json
from shared.vision.similarity.metrics import measure_similarity
from shared.vision.views import Pixels

# Items with the largest effect that are spelled out; the means are over all.
ITEMS_NAMED = 20


def compare_twins(
    context: StudyContext, slices: Sequence[SliceCalibration], generations: Sequence[Sequence[Pixels]]
) -> dict[str, Any]:
    """Compare the models of two disjoint slices.

    Args:
        context: of the study.
        slices: the two, calibrated by one control.
        generations: for each slice, the pictures of each of its models, uint8 (G, C, H, W), in the order of the models' seeds.

    Returns:
        Rates and leading items of the counterfactual, and the likeness of pictures from the same noise and from different
        noise, as JSON values.

    Raises:
        InputError: not two slices, or pictures missing.
    """
    if len(slices) != 2 or len(generations) != 2 or not all(generations):
        raise InputError(f"expected two slices with pictures, got {len(slices)} and {len(generations)}", code="study_twins")
    union = _Union(context, slices)
    _, scores = union.find_best_ssim(slices[0].matched_control.pictures)
    threshold = NullDistribution(tuple(scores.tolist())).threshold(context.rate)
    models = [
        _count_copies(union, calibration, pictures, threshold)
        for calibration, of_slice in zip(slices, generations, strict=True)
        for pictures in of_slice
    ]
    return {
        "threshold": threshold,
        "counterfactual": _counterfactual(models),
        "same_noise_ssim": _mean_likeness(generations, 0),
        "other_noise_ssim": _mean_likeness(generations, 1),
    }


class _Union:
    """The training pictures of several slices as one set to compare with."""

    def __init__(self, context: StudyContext, slices: Sequence[SliceCalibration]) -> None:
        self.item_ids = [item for calibration in slices for item in calibration.corpus.item_ids]
        self._views = np.concatenate([np.asarray(calibration.corpus.side.views) for calibration in slices])
        self._vectors = np.concatenate([calibration.corpus.vectors for calibration in slices])
        self._context = context

    def find_best_ssim(self, pictures: Pixels) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return self._context.find_best_ssim(pictures, self._views, self._vectors)


def _count_copies(union: _Union, calibration: SliceCalibration, pictures: Pixels, threshold: float) -> CopyCounts:
    rows, scores = union.find_best_ssim(pictures)
    copies = Counter(union.item_ids[row] for row in rows[scores > threshold])
    return CopyCounts(frozenset(calibration.corpus.item_ids), copies, len(pictures))


def _counterfactual(models: Sequence[CopyCounts]) -> dict[str, Any]:
    """Spell how many generations copy what their model was trained on and what only its twin was, and the leading items."""
    counterfactuals = build_counterfactuals(models)
    trials = sum(model.generations for model in models)
    of_union = sum(sum(model.copies.values()) for model in models)
    of_own = sum(count for model in models for item, count in model.copies.items() if item in model.items)
    return {
        "items": len(counterfactuals),
        "copies_of_own": rate_json(build_rate(of_own, trials)),
        "copies_of_the_twins": rate_json(build_rate(of_union - of_own, trials)),
        "leading": [asdict(item) | {"effect": item.effect} for item in counterfactuals[:ITEMS_NAMED] if item.effect > 0],
    }


def _mean_likeness(generations: Sequence[Sequence[Pixels]], offset: int) -> float:
    """Return the mean SSIM of pictures i of the first twin's models and i + `offset` of the second's, models of one seed."""
    pairs = zip(*generations, strict=True)
    return float(np.mean([measure_similarity(first, np.roll(second, -offset, axis=0)).ssim.mean() for first, second in pairs]))
