"""Synthetic copies, which the descriptor and the weights are fitted on. The benchmark judges by other transforms.

Each copy is cropped, turned and shifted at random. Each of five changes is made with probability 0.3: grain, exposure,
saturation, a cover over a part, a box blur. Several of them may coincide.
"""

import numpy as np
from numpy.typing import NDArray

from shared.matching.copy_detection.indexed_views import warp_views

Pixels = NDArray[np.uint8]

# Ranges that cover what people do to pictures before they repost them.
_ZOOM, _DEGREES, _GRAIN, _EXPOSURE, _SATURATION, _COVER_PX = (0.72, 1.02), 10.0, 25.0, (0.6, 1.5), (0.2, 2.0), (12, 32)
_OFTEN = 0.3


def build_synthetic_copies(views: Pixels, rng: np.random.Generator, still: float = 0.0) -> Pixels:
    """Make one copy of each view.

    Args:
        views: uint8 (n, 3, 64, 64).
        rng: decides everything random.
        still: share of the copies that are neither cropped nor turned nor shifted, 0..1.

    Returns:
        uint8 (n, 3, 64, 64).
    """
    zoom, turn = rng.uniform(*_ZOOM, len(views)), np.radians(rng.uniform(-_DEGREES, _DEGREES, len(views)))
    room = np.maximum(1 - zoom, 0)[:, None] * views.shape[-1] / 2
    shift = rng.uniform(-1, 1, (len(views), 2)) * room
    placements = np.stack([zoom * np.cos(turn), zoom * np.sin(turn), *shift.T], axis=1)
    if still > 0:
        placements[rng.random(len(views)) < still] = (1, 0, 0, 0)
    copies = warp_views(views, placements).astype(np.float64)
    for copy in copies:
        _spoil(copy, rng)
    return np.clip(copies, 0, 255).astype(np.uint8)


def _spoil(copy: NDArray[np.float64], rng: np.random.Generator) -> None:
    if rng.random() < _OFTEN:
        copy += rng.normal(0, rng.uniform(0, _GRAIN), copy.shape)
    if rng.random() < _OFTEN:
        copy *= rng.uniform(*_EXPOSURE)
    if rng.random() < _OFTEN:
        grey = copy.mean(axis=0)
        copy[:] = grey + (copy - grey) * rng.uniform(*_SATURATION)
    if rng.random() < _OFTEN:
        width, height = rng.integers(*_COVER_PX, 2)
        left, top = rng.integers(0, copy.shape[-1] - width), rng.integers(0, copy.shape[-1] - height)
        copy[:, top : top + height, left : left + width] = rng.integers(0, 256, 3)[:, None, None]
    if rng.random() < _OFTEN:
        wide = np.pad(copy, ((0, 0), (1, 1), (1, 1)))
        side = copy.shape[-1]
        copy[:] = sum(wide[:, y : y + side, x : x + side] for y in range(3) for x in range(3)) / 9
