"""Generations known to be copies: samples of the exact optimum of the denoising objective on a training slice.

For a finite training set the denoiser that minimises the training loss has a closed form, the mean of the set weighted by
exp(-‖x - x_i‖² / 2σ²); sampling with it can only replay the set. The sampler stops while some noise is left, as a model that
was stopped early does.

Source: Karras et al. 2022, appendix B.3 (closed form) and equation 1 (probability flow, Euler steps).
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# Karras et al.: from far outside the data down; the last level leaves a grain of 13 of 255 levels.
FIRST_SIGMA, LAST_SIGMA, STEPS, RHO = 80.0, 0.1, 40, 7.0
# Squared distance to the nearest item over that to the second nearest, below which a sample counts as a copy of the nearest.
CLEARLY = 0.8

Pixels = NDArray[np.uint8]


def sample_replays(views: Pixels, count: int, rng: np.random.Generator) -> tuple[Pixels, NDArray[np.int64]]:
    """Sample generations.

    Args:
        views: uint8 (n, 3, 64, 64), the training slice.
        count: how many.
        rng: for the starting noise.

    Returns:
        Generations, uint8 (count or fewer, 3, 64, 64), and which view each replays; samples between two alike are left out.
    """
    data = views.reshape(len(views), -1).astype(np.float64) / 127.5 - 1
    x = rng.normal(0, FIRST_SIGMA, (count, data.shape[1]))
    ramp = np.linspace(FIRST_SIGMA ** (1 / RHO), LAST_SIGMA ** (1 / RHO), STEPS) ** RHO
    for sigma, following in pairwise(ramp.tolist()):
        x += (following - sigma) * (x - _denoise(x, sigma, data)) / sigma
    distances = _square_distances(x, data)
    ordered = np.sort(distances, axis=1)
    clear = ordered[:, 0] < CLEARLY * ordered[:, 1]
    generations = np.clip(np.rint((x + 1) * 127.5), 0, 255).astype(np.uint8).reshape(count, *views.shape[1:])
    return generations[clear], distances.argmin(axis=1)[clear]


def _denoise(x: NDArray[np.float64], sigma: float, data: NDArray[np.float64]) -> NDArray[np.float64]:
    odds = -_square_distances(x, data) / (2 * sigma**2)
    weights = np.exp(odds - odds.max(axis=1, keepdims=True))
    return (weights / weights.sum(axis=1, keepdims=True)) @ data


def _square_distances(x: NDArray[np.float64], data: NDArray[np.float64]) -> NDArray[np.float64]:
    return (x**2).sum(axis=1)[:, None] - 2 * x @ data.T + (data**2).sum(axis=1)
