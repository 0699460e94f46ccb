"""Where a generation shows an item's drawing in other colours: the difference of chroma by window, beside luma's agreement.

Rules, in order:

1. Chroma is that of ITU-R BT.601, sampled where alignment put the item, times the gain that alignment found. What is only
   brighter or darker keeps its colours.
2. Windows are those of `copy_evidence`. A window counts where it agrees in drawing and no window within two of it contradicts:
   lettering and stickers have colours of their own.
3. A window has other colours where its mean chroma differs by more than `OTHER_LEVELS`.
"""

import numpy as np
from numpy.typing import NDArray

from shared.compute.compiling import compiled_approximately
from shared.matching.copy_detection.luma import BLUE, GREEN, RED
from shared.matching.copy_detection.orientations import find_source

# JPEG of quality 30 moves chroma by up to 8 levels on flat art of 64 px.
OTHER_LEVELS = 10.0
# "The same", and "something else", as in `copy_evidence`.
_AGREES, _CONTRADICTS = 0.8, 0.5
_BESIDE = 2
# ITU-R BT.601: Cb = 0.564 · (B - Y), Cr = 0.713 · (R - Y).
_CB, _CR = np.float32(0.564), np.float32(0.713)
_F, _U = np.float32, np.uintp


def measure_colours(
    generation: NDArray[np.uint8],
    item: NDArray[np.uint8],
    orientation: int,
    placement: NDArray[np.float64],
    agreement: NDArray[np.float32],
) -> float:
    """Return the share of the windows on the item that agree in drawing and have other colours.

    Args:
        generation: uint8 (3, 64, 64).
        item: uint8 (3, 64, 64).
        orientation: in which the generation is read, 0..7.
        placement: (6,), as in rule 1 of `alignment`.
        agreement: float32 (15, 15), of each window; NaN outside the item.
    """
    differences = np.empty((15, 15), np.float32)
    _fill_differences(generation, item, orientation, placement, differences)
    with np.errstate(invalid="ignore"):
        agreeing, contradicting = agreement > _AGREES, agreement < _CONTRADICTS
    counted = agreeing & ~_widen(contradicting)
    return float((counted & (differences > OTHER_LEVELS)).sum() / max(int(np.isfinite(agreement).sum()), 1))


def _widen(windows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add what is within two windows."""
    side = windows.shape[0]
    wide = np.zeros((side + 2 * _BESIDE, side + 2 * _BESIDE), bool)
    for down in range(2 * _BESIDE + 1):
        for across in range(2 * _BESIDE + 1):
            wide[down : down + side, across : across + side] |= windows
    return wide[_BESIDE:-_BESIDE, _BESIDE:-_BESIDE]


@compiled_approximately
def _fill_differences(
    generation: NDArray[np.uint8],
    item: NDArray[np.uint8],
    orientation: int,
    placement: NDArray[np.float64],
    differences: NDArray[np.float32],
) -> None:
    """Fill in how far the mean chromas of each window lie apart; positions outside the item are left out."""
    sums = np.zeros((3, 16, 16), np.float32)
    a, b, shift_x, shift_y, gain = placement[0], placement[1], placement[2], placement[3], _F(placement[4])
    for y in range(64):
        for x in range(64):
            u = a * (x - 31.5) - b * (y - 31.5) + shift_x + 31.5
            v = b * (x - 31.5) + a * (y - 31.5) + shift_y + 31.5
            u_in, v_in = min(max(u, 0.0), 62.999), min(max(v, 0.0), 62.999)
            if abs(u - u_in) >= 0.51 or abs(v - v_in) >= 0.51:
                continue
            column, line = int(u_in), int(v_in)
            du, dv = _F(u_in - column), _F(v_in - line)
            read_line, read_at = find_source(orientation, 64, y, x)
            blue = red = luma = _F(0)
            for channel in range(3):
                plane = item[channel]
                top = _F(plane[line, column]) * (_F(1) - du) + _F(plane[line, column + 1]) * du
                bottom = _F(plane[line + 1, column]) * (_F(1) - du) + _F(plane[line + 1, column + 1]) * du
                # Chroma is linear: that of the difference is the difference of the chromas.
                level = _F(generation[channel, read_line, read_at]) - gain * (top * (_F(1) - dv) + bottom * dv)
                if channel == 0:
                    red, luma = level, luma + RED * level
                elif channel == 1:
                    luma += GREEN * level
                else:
                    blue, luma = level, luma + BLUE * level
            sums[0, y // 4, x // 4] += _F(1)
            sums[1, y // 4, x // 4] += _CB * (blue - luma)
            sums[2, y // 4, x // 4] += _CR * (red - luma)
    for y in range(15):
        for x in range(15):
            positions = cb = cr = _F(0)
            for down in range(2):
                for across in range(2):
                    positions += sums[0, y + down, x + across]
                    cb += sums[1, y + down, x + across]
                    cr += sums[2, y + down, x + across]
            differences[y, x] = np.sqrt(cb * cb + cr * cr) / max(positions, _F(1))
