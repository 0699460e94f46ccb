"""Lay an item over a generation: shift, turn, zoom, gain and offset, found by robust Gauss-Newton steps.

Rules, in order:

1. The placement maps a position of the generation to one of the item: (x, y) ↦ (a·x - b·y + tx, b·x + a·y + ty), from the
   centre, in px of the 64 px view. The item's luma there, times a gain, plus an offset, is to equal the generation's.
2. Each position counts by Geman and McClure's weight (s² / (s² + r²))², where r is its remaining difference. So what was
   painted over an item does not pull at it. s narrows from step to step.
3. Weak priors hold still what the picture does not determine: no turn, no shift, gain 1, offset 0.
4. The placement stays a plausible copy, within the limits below.
5. Six steps at 16 px are followed by eight at 32 px. Both determine a placement to a tenth of a pixel of the 64 px view.

Source: Lucas and Kanade 1981; Baker and Matthews 2004 (forward additive); Black and Rangarajan 1996 for the weight.
"""

import math

import numpy as np
from numpy.typing import NDArray

from shared.compute.compiling import compiled_approximately

# A copy keeps at least 60 % of an item's side, and shows it at most an eighth smaller than it is.
LEAST_ZOOM, MOST_ZOOM = 0.6, 1.12
# tan of about 17°: beyond it a turned copy needs an indexed view of its own.
MOST_TURN = 0.3
# What a crop of 60 % can be off its centre, px, rounded up.
MOST_SHIFT_PX = 14.0
# Exposure changes of a factor two, and of a quarter of the range, either way.
LEAST_GAIN, MOST_GAIN, MOST_OFFSET = 0.4, 2.2, 70.0
# Differences, in levels, at which a position counts a quarter: wide while the placement is rough, then near noise.
COARSE_LEVELS, FINE_LEVELS = (60.0, 30.0), (40.0, 20.0)
COARSE_STEPS, FINE_STEPS = 6, 8
# Prior precision of rule 3, in squared levels a position: two levels of noise.
_NOISE = 4.0
# Its parts: turn and zoom (per px² of radius), shift (per px²), gain, offset (per level²). Far below what any drawing says.
_PRIOR_TURN, _PRIOR_SHIFT, _PRIOR_GAIN, _PRIOR_OFFSET = 0.01, 0.05, 100.0, 0.05
# Sums of a step: the upper triangle of the 6 × 6 normal matrix, its right side, and the positions inside the item.
_SUMS = 21 + 6 + 1
_INSIDE = 27

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
# Indices are unsigned: numba otherwise tests each for being negative, and the loop does not vectorise.
_U = np.uintp
_F = np.float32


@compiled_approximately
def _add_row(row: Floats, item: Floats, side: int, y: float, placement: Floats, spread: float, sums: Doubles) -> None:
    """Add one row of the generation to the sums of a step; `item` is flat, `placement` in px of this level."""
    centre, edge = _F((side - 1) / 2), _F(side - 1) - _F(1e-3)
    a, b, gain, offset = placement[0], placement[1], placement[4], placement[5]
    line_y, s2 = _F(y), _F(spread) * _F(spread)
    u_start = -b * line_y + placement[2] + centre
    v_start = a * line_y + placement[3] + centre
    zero = _F(0)
    m00 = m01 = m02 = m03 = m04 = m05 = m11 = m12 = m13 = m14 = m15 = zero
    m22 = m23 = m24 = m25 = m33 = m34 = m35 = m44 = m45 = m55 = zero
    r0 = r1 = r2 = r3 = r4 = r5 = inside = zero
    for i in range(side):
        x = _F(np.int32(i)) - centre
        u, v = a * x + u_start, b * x + v_start
        u_in, v_in = min(max(u, zero), edge), min(max(v, zero), edge)
        is_inside = _F(1) if (abs(u - u_in) < _F(0.01)) & (abs(v - v_in) < _F(0.01)) else zero
        column, line = np.int32(u_in), np.int32(v_in)
        du, dv = u_in - _F(column), v_in - _F(line)
        at = _U(line) * _U(side) + _U(column)
        p00, p01, p10, p11 = item[at], item[at + _U(1)], item[at + _U(side)], item[at + _U(side) + _U(1)]
        top, bottom = p00 + du * (p01 - p00), p10 + du * (p11 - p10)
        value, slope_y = top + dv * (bottom - top), bottom - top
        slope_x = (p01 - p00) + dv * ((p11 - p10) - (p01 - p00))
        rest = row[i] - (gain * value + offset)
        weight = s2 / (s2 + rest * rest)
        weight = weight * weight * is_inside
        inside += is_inside
        j0, j1 = gain * (slope_x * x + slope_y * line_y), gain * (slope_y * x - slope_x * line_y)
        j2, j3 = gain * slope_x, gain * slope_y
        t = weight * j0
        m00, m01, m02, m03, m04, m05, r0 = (
            m00 + t * j0, m01 + t * j1, m02 + t * j2, m03 + t * j3, m04 + t * value, m05 + t, r0 + t * rest
        )  # fmt: skip
        t = weight * j1
        m11, m12, m13, m14, m15, r1 = m11 + t * j1, m12 + t * j2, m13 + t * j3, m14 + t * value, m15 + t, r1 + t * rest
        t = weight * j2
        m22, m23, m24, m25, r2 = m22 + t * j2, m23 + t * j3, m24 + t * value, m25 + t, r2 + t * rest
        t = weight * j3
        m33, m34, m35, r3 = m33 + t * j3, m34 + t * value, m35 + t, r3 + t * rest
        t = weight * value
        m44, m45, r4 = m44 + t * value, m45 + t, r4 + t * rest
        m55, r5 = m55 + weight, r5 + weight * rest
    row_sums = (
        m00, m01, m02, m03, m04, m05, m11, m12, m13, m14, m15, m22, m23, m24, m25, m33, m34, m35, m44, m45, m55,
        r0, r1, r2, r3, r4, r5, inside,
    )  # fmt: skip
    for k in range(len(row_sums)):
        sums[k] += row_sums[k]


@compiled_approximately
def _solve(matrix: Doubles, right: Doubles) -> bool:
    """Solve in place by elimination; the matrix is symmetric and, with its priors, positive."""
    size = len(right)
    for i in range(size):
        if matrix[i, i] < 1e-9:
            return False
        for j in range(i + 1, size):
            factor = matrix[j, i] / matrix[i, i]
            for k in range(i, size):
                matrix[j, k] -= factor * matrix[i, k]
            right[j] -= factor * right[i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            right[i] -= matrix[i, k] * right[k]
        right[i] /= matrix[i, i]
    return True


@compiled_approximately
def _add_priors(matrix: Doubles, right: Doubles, side: int, placement: Doubles) -> None:
    strength = _NOISE * side * side
    for i in range(2):
        matrix[i, i] += strength * side * side * _PRIOR_TURN
        matrix[2 + i, 2 + i] += strength * _PRIOR_SHIFT
    matrix[4, 4] += strength * _PRIOR_GAIN
    right[4] += strength * _PRIOR_GAIN * (1 - placement[4])
    matrix[5, 5] += strength * _PRIOR_OFFSET
    right[5] -= strength * _PRIOR_OFFSET * placement[5]


@compiled_approximately
def _limit(placement: Doubles) -> None:
    zoom = math.sqrt(placement[0] ** 2 + placement[1] ** 2)
    shrink = min(max(zoom, LEAST_ZOOM), MOST_ZOOM) / max(zoom, 1e-6)
    placement[0] *= shrink
    placement[1] = min(max(placement[1] * shrink, -MOST_TURN * abs(placement[0])), MOST_TURN * abs(placement[0]))
    placement[2] = min(max(placement[2], -MOST_SHIFT_PX), MOST_SHIFT_PX)
    placement[3] = min(max(placement[3], -MOST_SHIFT_PX), MOST_SHIFT_PX)
    placement[4] = min(max(placement[4], LEAST_GAIN), MOST_GAIN)
    placement[5] = min(max(placement[5], -MOST_OFFSET), MOST_OFFSET)


@compiled_approximately
def _refine(generation: Floats, item: Floats, placement: Doubles, steps: int, levels: tuple[float, float]) -> None:
    """Move a placement, in px of the 64 px view, by some steps at the level of the given images."""
    side = generation.shape[0]
    shrink, flat = side / 64, item.ravel()
    matrix, right, sums = np.zeros((6, 6)), np.zeros(6), np.zeros(_SUMS)
    local = np.empty(6, np.float32)
    for step in range(steps):
        spread = levels[0] + (levels[1] - levels[0]) * step / max(steps - 1, 1)
        sums[:] = 0
        for k in range(6):
            local[k] = placement[k] * (shrink if 2 <= k <= 3 else 1.0)
        for y in range(side):
            _add_row(generation[y], flat, side, y - (side - 1) / 2, local, spread, sums)
        # Less than a quarter of the generation left inside the item: nothing to go by.
        if sums[_INSIDE] < side * side / 4:
            return
        at = 0
        for i in range(6):
            right[i] = sums[21 + i]
            for j in range(i, 6):
                matrix[i, j] = matrix[j, i] = sums[at]
                at += 1
        _add_priors(matrix, right, side, placement)
        if not _solve(matrix, right):
            return
        for k in range(6):
            placement[k] += right[k] / (shrink if 2 <= k <= 3 else 1.0)
        _limit(placement)


@compiled_approximately
def align(half: Floats, quarter: Floats, item_half: Floats, item_quarter: Floats, placement: Doubles) -> None:
    """Refine a placement in place.

    Args:
        half: float32 (32, 32), the generation's luma.
        quarter: float32 (16, 16), likewise.
        item_half: float32 (32, 32), the item's luma.
        item_quarter: float32 (16, 16), likewise.
        placement: float64 (6,): a, b, tx, ty, gain, offset to start from.
    """
    _refine(quarter, item_quarter, placement, COARSE_STEPS, COARSE_LEVELS)
    _refine(half, item_half, placement, FINE_STEPS, FINE_LEVELS)
