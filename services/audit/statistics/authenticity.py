"""AuthPct: the share of generations that are farther from their nearest training picture than that one is from its own.

A generation is *authentic* where another training picture is nearer to its nearest training picture than it is itself. 100
% says that no generation sits on top of a training picture; it does not say that the generations are good. Training pictures
that are duplicates have no distance to each other, so that whatever is near them counts as authentic: a share from a set with
duplicates is too high.

Source: Alaa et al. 2022, "How Faithful is your Synthetic Data?", as computed in dgm-eval (Stein et al. 2023).
"""

import numpy as np
from numpy.typing import NDArray

from services.audit.statistics.nearest import find_nearest, find_nearest_other
from shared.errors import InputError
from shared.matching.calibration.rate_intervals import Rate, build_rate

Features = NDArray[np.floating]


def authentic_share(training: Features, generations: Features) -> Rate:
    """Count authentic generations.

    Args:
        training: shape (N, D), at least two.
        generations: shape (G, D), at least one.

    Raises:
        InputError: fewer than two training pictures, no generation, or widths that differ.

    >>> authentic_share(np.array([[0.0], [1.0]]), np.array([[0.1], [5.0]])).value
    0.5
    """
    if len(training) < 2 or len(generations) < 1 or training.shape[1] != generations.shape[1]:
        raise InputError(
            f"expected two training pictures and one generation of one width, got {training.shape} and {generations.shape}"
        )
    to_nearest_other = find_nearest_other(training)
    row, distance = find_nearest(generations, training)
    return build_rate(int((to_nearest_other[row] < distance).sum()), len(generations))
