"""SSIM of 8-bit images as compiled loops; `shared.matching.best_ssim` is its way in and checks what comes
here.

Rules, in order:

1. Planes are flat (H·W). Output rows keep the width W; their last 6 positions straddle two rows and do not
   count. Flat loops over whole bands vectorise; loops over rows of 58 do not.
2. With n = 49 pixels, S the sum of a window, P the sum of its products: n(n-1)·covariance = n·P - Sx·Sy, and
   n²·(product of means) = Sx·Sy. Both sides are int32 and exact; the quotient is float32, its sum float64.
3. The generation carries the factor n in its pixels, the steadying constants in its squares, and an infinite
   spread where a position does not count, which makes its quotient 0.
4. A pair is abandoned as soon as its open windows, each at the bound of 1, cannot lift it to the floor.

Source: Wang et al. 2004, equation 13.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from shared.vision.similarity.pairs import PEAK
from shared.vision.similarity.ssim import K1, K2, UNIFORM_SIDE_PX

P = ParamSpec("P")
R = TypeVar("R")
Floats = NDArray[np.float32]

# Largest value met: n·P of a white window, 49 · 49 · 255² ≈ 1.6e8, within int32; a sum, 49 · 255, is within
# int16.
_SIDE = UNIFORM_SIDE_PX
_N = _SIDE * _SIDE
# C1 and C2 on the scale of rule 2, halved: both factors of 2 in the numerator are taken out of the quotient.
_C1 = np.float32((K1 * PEAK) ** 2 * _N * _N / 2)
_C2 = np.float32((K2 * PEAK) ** 2 * _N * (_N - 1) / 2)
# Half a dozen float32 roundings of 6e-8 go into a window's quotient, which may exceed 1 by as much.
SLACK = 1e-6
# Output rows between two looks at rule 4: few enough to stop early, enough to keep the loops long.
_BAND_ROWS = 8
# Positions summed in float32 before the sum goes on in float64. Equal quotients round alike and their error grows with the
# run: at 8 a vector, 32 additions of up to 2⁻²⁴ each stay within 1e-6 at the very worst; in 512 px rows 6e-6 was seen.
_RUN = 256
_BELOW = float("-inf")
# Indices are unsigned: numba otherwise tests each for being negative, and the loop does not vectorise.
_U = np.uintp


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function; it runs without the interpreter lock."""
    # The compiled form is kept beside this file where that folder can be written (a checkout) and nowhere
    # else: numba raises where it finds no place, and a read-only installation must only compile once a
    # process.
    kept = os.access(Path(__file__).parent, os.W_OK)
    # error_model numpy: a vector loop cannot stop at a zero divisor. fastmath without nnan and ninf: rule 3
    # needs infinity.
    fast = {"contract", "nsz", "arcp", "reassoc"}
    compiled: Callable[P, R] = njit(nogil=True, cache=kept, error_model="numpy", fastmath=fast)(function)
    return compiled


@_compiled
def image_terms(pixels: NDArray[np.uint8], width: int, sums: NDArray[np.int16], spreads: Floats) -> None:
    """Fill the window sums and n(n-1)·variances of one image.

    Args:
        pixels: uint8 (C, H·W).
        width: W.
        sums: int16 (C, (H - 6)·W), written to where a window starts.
        spreads: float32, the same shape, likewise.
    """
    channels, size = pixels.shape
    height = size // width
    column, squares = np.zeros(width, np.int32), np.zeros(width, np.int32)
    for channel in range(channels):
        column[:] = 0
        squares[:] = 0
        for row in range(height):
            for j in range(width):
                value = np.int32(pixels[channel, row * width + j])
                column[j] += value
                squares[j] += value * value
            if row >= _SIDE:
                for j in range(width):
                    value = np.int32(pixels[channel, (row - _SIDE) * width + j])
                    column[j] -= value
                    squares[j] -= value * value
            if row >= _SIDE - 1:
                start = (row - _SIDE + 1) * width
                for j in range(width - _SIDE + 1):
                    total = np.int32(0)
                    square = np.int32(0)
                    for tap in range(_SIDE):
                        total += column[j + tap]
                        square += squares[j + tap]
                    sums[channel, start + j] = total
                    spreads[channel, start + j] = np.float32(_N * square - total * total)


@_compiled
def fill_terms(
    pixels: NDArray[np.uint8],
    width: int,
    sums: NDArray[np.int16],
    spreads: Floats,
    start: int,
    stop: int,
) -> None:
    """Fill the terms of images start..stop; arrays as in `image_terms` with a leading axis of images."""
    for i in range(start, stop):
        image_terms(pixels[i], width, sums[i], spreads[i])


@_compiled
def _prepare(
    pixels: NDArray[np.uint8],
    width: int,
    scaled: NDArray[np.int16],
    sums: NDArray[np.int16],
    squares: Floats,
    spreads: Floats,
) -> None:
    """Fill the generation's side (rule 3) from its pixels."""
    image_terms(pixels, width, sums, spreads)
    for channel in range(pixels.shape[0]):
        for i in range(pixels.shape[1]):
            scaled[channel, i] = np.int16(_N) * np.int16(pixels[channel, i])
        for i in range(sums.shape[1]):
            total = np.float32(sums[channel, i])
            squares[channel, i] = total * total + np.float32(2) * _C1
            spreads[channel, i] += np.float32(2) * _C2
            if i % width > width - _SIDE:
                spreads[channel, i] = np.inf


@_compiled
def _pair(
    scaled: NDArray[np.int16],
    sums: NDArray[np.int16],
    squares: Floats,
    spreads: Floats,
    view: NDArray[np.uint8],
    view_sums: NDArray[np.int16],
    view_spreads: Floats,
    width: int,
    products: NDArray[np.int32],
    across: NDArray[np.int32],
    floor: float,
) -> float:
    """Return the SSIM of one pair, or -inf where it is certain to be below the floor."""
    channels, size = view.shape
    rows = size // width - _SIDE + 1
    windows_in_row = width - _SIDE + 1
    windows = channels * rows * windows_in_row
    w1, w2, w3, w4, w5, w6 = _U(width), _U(2 * width), _U(3 * width), _U(4 * width), _U(5 * width), _U(6 * width)
    o1, o2, o3, o4, o5, o6 = _U(1), _U(2), _U(3), _U(4), _U(5), _U(6)
    total = 0.0
    for channel in range(channels):
        a, s, q, d = scaled[channel], sums[channel], squares[channel], spreads[channel]
        b, t, e = view[channel], view_sums[channel], view_spreads[channel]
        multiplied, summed = 0, 0
        for top in range(0, rows, _BAND_ROWS):
            bottom = min(top + _BAND_ROWS, rows)
            last = min((bottom + _SIDE - 1) * width, size - _SIDE + 1)
            for i in range(_U(multiplied), _U(last + _SIDE - 1)):
                products[i] = np.int32(np.int32(a[i]) * np.int32(b[i]))
            for i in range(_U(summed), _U(last)):
                near = products[i] + products[i + o1] + products[i + o2] + products[i + o3]
                across[i] = np.int32(near + products[i + o4] + products[i + o5] + products[i + o6])
            multiplied, summed = last + _SIDE - 1, last
            end = min(bottom * width, rows * width - _SIDE + 1)
            for start in range(top * width, end, _RUN):
                run = np.float32(0)
                for i in range(_U(start), _U(min(start + _RUN, end))):
                    near = across[i] + across[i + w1] + across[i + w2] + across[i + w3]
                    product = np.int32(near + across[i + w4] + across[i + w5] + across[i + w6])
                    means = np.int32(np.int32(s[i]) * np.int32(t[i]))
                    mean = np.float32(t[i])
                    numerator = (np.float32(means) + _C1) * (np.float32(np.int32(product - means)) + _C2)
                    run += numerator / ((mean * mean + q[i]) * (d[i] + e[i]))
                total += 4.0 * float(run)
            open_windows = windows - (channel * rows + bottom) * windows_in_row
            if total + open_windows < (floor - SLACK) * windows:
                return _BELOW
    similarity: float = total / windows
    return similarity


@_compiled
def score_pairs(
    generations: NDArray[np.uint8],
    views: NDArray[np.uint8],
    view_sums: NDArray[np.int16],
    view_spreads: Floats,
    width: int,
    candidates: NDArray[np.int64],
    scores: NDArray[np.float64],
    best: NDArray[np.int64],
    part: tuple[int, int, int, int],
) -> None:
    """Score generations against candidates within one part of the table.

    Args:
        generations: uint8 (g, C, H·W).
        views: uint8 (n, C, H·W), with sums and spreads as `fill_terms` leaves them.
        view_sums: int16 (n, C, (H - 6)·W).
        view_spreads: float32 (n, C, (H - 6)·W).
        width: W.
        candidates: int64 (g or 1, k), view indices or -1; one row serves all generations.
        scores: float64 (g, k) for all scores; or (g, 1), holding the floor, for the best alone.
        best: int64 (g, 0) for all scores; (g, 1) for the best alone, holding the index of the floor.
        part: first and last-plus-one generation, first and last-plus-one column of candidates.
    """
    channels, size = generations.shape[1:]
    scaled = np.empty((channels, size), np.int16)
    sums = np.zeros((channels, size - (_SIDE - 1) * width), np.int16)
    squares, spreads = np.empty(sums.shape, np.float32), np.zeros(sums.shape, np.float32)
    products, across = np.empty(size, np.int32), np.empty(size, np.int32)
    only_best = best.shape[1] == 1
    for g in range(part[0], part[1]):
        _prepare(generations[g], width, scaled, sums, squares, spreads)
        row = g % candidates.shape[0]
        for k in range(part[2], part[3]):
            view = candidates[row, k]
            if view < 0:
                continue
            floor = scores[g, 0] if only_best else -np.inf
            score = _pair(
                scaled,
                sums,
                squares,
                spreads,
                views[view],
                view_sums[view],
                view_spreads[view],
                width,
                products,
                across,
                floor,
            )
            if not only_best:
                scores[g, k] = score
            elif score > floor or (score == floor and view < best[g, 0]):
                scores[g, 0] = score
                best[g, 0] = view
