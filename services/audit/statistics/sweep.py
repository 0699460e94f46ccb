"""The threshold sweep: shares of generations and control above every level, so that no figure hangs on one threshold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.matching.calibration.rate_intervals import Rate, build_rate

# Levels of SSIM: from where unrelated pictures are to where only exact copies are.
LEVELS = tuple(round(0.3 + 0.05 * step, 2) for step in range(14))


@dataclass(frozen=True)
class Level:
    """One level: generations and control above it, each with its interval, and distinct items above it."""

    level: float
    generations: Rate
    control: Rate
    distinct_items: int


def sweep(
    generations: NDArray[np.float64],
    items: NDArray[np.int64],
    control: NDArray[np.float64],
    levels: tuple[float, ...] = LEVELS,
) -> list[Level]:
    """Count what is above each level.

    Args:
        generations: best score of each generation, shape (G,).
        items: the item of each, shape (G,).
        control: best score of each control picture, shape (C,).
        levels: ascending.

    Raises:
        InputError: an empty sample, or one item missing.
    """
    if len(generations) == 0 or len(control) == 0 or len(items) != len(generations):
        raise InputError(f"expected scores with items and a control, got {len(generations)}, {len(items)}, {len(control)}")
    return [
        Level(
            level,
            build_rate(int((generations > level).sum()), len(generations)),
            build_rate(int((control > level).sum()), len(control)),
            len(np.unique(items[generations > level])),
        )
        for level in levels
    ]
