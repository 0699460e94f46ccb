"""Twins: models of disjoint slices of one size, held against each other.

Two things are asked. Is a picture copied *because* a model was trained on it (`statistics.counterfactual`)? And do models
that share no training picture draw the same pictures from the same noise? Where they do, what they draw is no longer a
matter of the particular slice: Kadkhodaie et al. 2024 (arXiv:2310.02557) take that as the sign of generalisation, and its
absence as one of memorisation.

Rules, in order:

1. Pictures are compared with the union of the slices; the threshold is the control's over the same union.
2. Pictures of one seed are compared: picture i of the first twin and picture i of the second began from the same noise.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from services.audit.comparison import embed_views
from services.audit.controls import MeasuredSlice
from services.audit.statistics.counterfactual import Counterfactual, TrainedModel, build_counterfactuals
from services.audit.studies.study_config import StudyConfig
from shared.errors import InputError
from shared.index.exact import exact_neighbours
from shared.matching.best_match import BestMatches, find_best_matches
from shared.matching.null import NullDistribution
from shared.vision.embedding import Embedder
from shared.vision.similarity.suite import measure
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
        Means and leading items of the counterfactual, and how alike pictures of the same noise are, as JSON values.

    Raises:
        InputError: not two slices, or pictures missing.
    """
    if len(slices) != 2 or len(drawn) != 2 or not all(drawn):
        raise InputError(f"expected two slices with pictures, got {len(slices)} and {len(drawn)}", code="study_twins")
    union = _Union(slices, embedder, config.neighbours)
    threshold = NullDistribution(tuple(union.match(slices[0].control_matched.pictures).ssim.tolist())).threshold(
        config.false_positive_rate
    )
    models = [
        _what_it_copied(union, measured, pictures, threshold)
        for measured, of_slice in zip(slices, drawn, strict=True)
        for pictures in of_slice
    ]
    return {
        "threshold": threshold,
        "counterfactual": _counterfactual(build_counterfactuals(models)),
        "same_noise_ssim": _same_noise(drawn[0], drawn[1]),
    }


class _Union:
    """The training pictures of several slices as one set to compare with."""

    def __init__(self, slices: Sequence[MeasuredSlice], embedder: Embedder, neighbours: int) -> None:
        self.item_ids = [item for measured in slices for item in measured.corpus.item_ids]
        self._views = np.concatenate([np.asarray(measured.corpus.side.views) for measured in slices])
        self._vectors = np.concatenate([measured.corpus.vectors for measured in slices])
        self._embedder, self._neighbours = embedder, neighbours

    def match(self, pictures: Pixels) -> BestMatches:
        shortlists, _ = exact_neighbours(embed_views(pictures, self._embedder), self._vectors, self._neighbours)
        return find_best_matches(pictures, self._views, shortlists)


def _what_it_copied(union: _Union, measured: MeasuredSlice, pictures: Pixels, threshold: float) -> TrainedModel:
    matches = union.match(pictures)
    copied = Counter(union.item_ids[at] for at in matches.index[matches.ssim > threshold])
    return TrainedModel(frozenset(measured.corpus.item_ids), copied, len(pictures))


def _counterfactual(found: Sequence[Counterfactual]) -> dict[str, Any]:
    """Spell the means over all items, of shares of generations that copy them, and the items with the largest effect."""
    return {
        "items": len(found),
        # Summed, not averaged: the share of generations that copy any item that the model was, or was not, trained on.
        "copies_of_own": sum(one.with_item for one in found) / 2,
        "copies_of_the_twins": sum(one.without_item for one in found) / 2,
        "leading": [asdict(one) | {"effect": one.effect} for one in found[:ITEMS_NAMED] if one.effect > 0],
    }


def _same_noise(first: Sequence[Pixels], second: Sequence[Pixels]) -> float:
    """Return the mean SSIM of pictures that two models, of one seed but disjoint slices, drew from the same noise."""
    return float(np.mean([measure(one, other).ssim.mean() for one, other in zip(first, second, strict=True)]))
