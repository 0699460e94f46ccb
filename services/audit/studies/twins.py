"""Twins: models of disjoint slices of one size, held against each other.

Two things are asked. Is a picture copied *because* a model was trained on it (`statistics.counterfactual`)? And do models
that share no training picture draw the same pictures from the same noise? Where they do, what they draw is no longer a
matter of the particular slice: Kadkhodaie et al. 2024 (arXiv:2310.02557) take that as the sign of generalisation, and its
absence as one of memorisation.

Rules, in order:

1. Pictures are compared with the union of the slices; the threshold is the control's over the same union.
2. Pictures of one seed are compared: picture i of the first twin and picture i of the second began from the same noise. Beside
   it stands how alike pictures of different noise are: picture i and picture i + 1.
3. The two slices were drawn at random, but they are two: seeds repeat the training, not the draw. The difference is that of
   training on one slice or the other; what a single picture did is only coarsely told from the rest of its slice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.audit.comparison.compare import best_in_shortlists
from services.audit.controls import MeasuredSlice
from services.audit.statistics.counterfactual import TrainedModel, build_counterfactuals
from services.audit.studies.study_config import StudyConfig
from shared.errors import InputError
from shared.matching.calibration.null_distribution import NullDistribution
from shared.matching.calibration.rate_intervals import build_rate, rate_json
from shared.vision.embedding import Embedder
from shared.vision.similarity.metrics import measure_similarity
from shared.vision.views import Pixels

# Items with the largest effect that are spelled out; the means are over all.
ITEMS_NAMED = 20


def compare_twins(
    slices: Sequence[MeasuredSlice], drawn: Sequence[Sequence[Pixels]], embedder: Embedder, config: StudyConfig
) -> dict[str, Any]:
    """Compare the models of two disjoint slices.

    Args:
        slices: the two, measured by one control.
        drawn: for each slice, the pictures of each of its models, uint8 (G, C, H, W), models in the order of their seeds.
        embedder: makes the shortlists.
        config: neighbours and rate.

    Returns:
        Rates and leading items of the counterfactual, and how alike pictures of the same noise, and of another, are, as JSON
        values.

    Raises:
        InputError: not two slices, or pictures missing.
    """
    if len(slices) != 2 or len(drawn) != 2 or not all(drawn):
        raise InputError(f"expected two slices with pictures, got {len(slices)} and {len(drawn)}", code="study_twins")
    union = _Union(slices, embedder, config.neighbours)
    _, control = union.match(slices[0].control_matched.pictures)
    threshold = NullDistribution(tuple(control.tolist())).threshold(config.false_positive_rate)
    models = [
        _what_it_copied(union, measured, pictures, threshold)
        for measured, of_slice in zip(slices, drawn, strict=True)
        for pictures in of_slice
    ]
    return {
        "threshold": threshold,
        "counterfactual": _counterfactual(models),
        "same_noise_ssim": _likeness(drawn, 0),
        "other_noise_ssim": _likeness(drawn, 1),
    }


class _Union:
    """The training pictures of several slices as one set to compare with."""

    def __init__(self, slices: Sequence[MeasuredSlice], embedder: Embedder, neighbours: int) -> None:
        self.item_ids = [item for measured in slices for item in measured.corpus.item_ids]
        self._views = np.concatenate([np.asarray(measured.corpus.side.views) for measured in slices])
        self._vectors = np.concatenate([measured.corpus.vectors for measured in slices])
        self._embedder, self._neighbours = embedder, neighbours

    def match(self, pictures: Pixels) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return best_in_shortlists(pictures, self._views, self._vectors, self._embedder, self._neighbours)


def _what_it_copied(union: _Union, measured: MeasuredSlice, pictures: Pixels, threshold: float) -> TrainedModel:
    rows, scores = union.match(pictures)
    copied = Counter(union.item_ids[at] for at in rows[scores > threshold])
    return TrainedModel(frozenset(measured.corpus.item_ids), copied, len(pictures))


def _counterfactual(models: Sequence[TrainedModel]) -> dict[str, Any]:
    """Spell how many generations copy what their model was trained on and what only its twin was, and the leading items."""
    found = build_counterfactuals(models)
    trials = sum(model.generations for model in models)
    every = sum(sum(model.copies.values()) for model in models)
    own = sum(count for model in models for item, count in model.copies.items() if item in model.items)
    return {
        "items": len(found),
        "copies_of_own": rate_json(build_rate(own, trials)),
        "copies_of_the_twins": rate_json(build_rate(every - own, trials)),
        "leading": [asdict(one) | {"effect": one.effect} for one in found[:ITEMS_NAMED] if one.effect > 0],
    }


def _likeness(drawn: Sequence[Sequence[Pixels]], apart: int) -> float:
    """Return the mean SSIM of pictures i of one twin's models and i + `apart` of the other's, models of one seed."""
    pairs = zip(*drawn, strict=True)
    return float(np.mean([measure_similarity(one, np.roll(other, -apart, axis=0)).ssim.mean() for one, other in pairs]))
