"""The best match of each generation: a shortlist by embedding, the best SSIM in it, and the similarity metrics of that pair.

This is the paper's procedure: look up the nearest training items, keep the most similar by SSIM, and measure that pair by
every metric of its suite. The audit (many generations) and the gate (one) share it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.matching.ssim_search.device_ssim import best_ssim_on_device
from shared.matching.ssim_search.ssim_terms import BoundedViews
from shared.vision.similarity.metrics import SimilarityMetrics, measure_similarity
from shared.vision.views import Pixels


@dataclass(frozen=True)
class BestMatches:
    """For each of G generations: the matched training view, its SSIM, and the metrics of the pair."""

    index: NDArray[np.int64]
    ssim: NDArray[np.float64]
    metrics: SimilarityMetrics


def find_best_matches(
    generations: Pixels,
    training: Pixels,
    candidates: NDArray[np.int64],
    *,
    device: str | None = None,
    means: NDArray[np.float32] | None = None,
) -> BestMatches:
    """Match generations against shortlists of training views.

    Args:
        generations: uint8, shape (G, C, H, W).
        training: uint8, shape (N, C, H, W): the views of the manifest, in its order.
        candidates: shape (G, K), indices into `training`: the shortlist of each generation.
        device: where the search runs; None for the compiled loops, else as in `best_ssim_on_device`. The matches are the same.
        means: bounds of the scores of `training`, from `build_means`: faster for a few generations among many views. The
            matches are the same.

    Returns:
        The best match of each generation.

    Raises:
        InputError: shapes that do not agree, an empty shortlist, or an unknown device.
        UnavailableError: the machine has no such device.
    """
    if generations.shape[1:] != training.shape[1:] or len(candidates) != len(generations):
        raise InputError(
            f"expected views of one shape and one shortlist each, got generations {generations.shape}, "
            f"training {training.shape}, shortlists {candidates.shape}"
        )
    if device is None:
        views = training if means is None else BoundedViews(training, means)
        index, scores = best_ssim(generations, views, candidates)
    else:
        index, scores = best_ssim_on_device(generations, training, candidates, device=device)
    if (index < 0).any():
        raise InputError(f"expected a candidate for every generation, got none for {int((index < 0).sum())}")
    return BestMatches(index, scores, measure_similarity(training[index], generations))
