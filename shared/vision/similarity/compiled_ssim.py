"""SSIM of 8-bit images as compiled loops; `shared.matching.ssim_search.best_ssim` is its way in and checks what comes
here.

Rules, in order:

1. Planes are flat (H·W). Output rows keep the width W; their last 6 positions straddle two rows and do not
   count. Flat loops over whole bands vectorise; loops over rows of 58 do not.
2. With n = 49 pixels, S the sum of a window, P the sum of its products: n(n-1)·covariance = n·P - Sx·Sy, and
   n²·(product of means) = Sx·Sy. Both sides are int32 and exact; the quotient is float32, its sum float64.
3. The generation carries the factor n in its pixels, the steadying constants in its squares, and an infinite
   spread where a position does not count, which makes its quotient 0.
4. Windows fall into groups of 8 × 8. Four means of each group and image bound the SSIM of its windows from above, whatever the
   pixels are (docs/methods/exhaustive.md holds the proof).
5. The search for the best takes the views by falling bound, abandons a pair as soon as its open windows, each group at its
   bound, cannot lift it to the floor, and ends where a whole view's bound is below the floor.

Source: Wang et al. 2004, equation 13; rule 4 follows from the inequalities of Cauchy and Schwarz and of Sedrakyan.
"""

import math

import numpy as np
from numpy.typing import NDArray

from shared.compute.compiling import compiled
from shared.vision.similarity.ssim_constants import K1, K2, PEAK, UNIFORM_SIDE_PX

Floats = NDArray[np.float32]

# Largest value met: n·P of a white window, 49 · 49 · 255² ≈ 1.6e8, within int32; a sum, 49 · 255, is within
# int16.
_SIDE = UNIFORM_SIDE_PX
_N = _SIDE * _SIDE
# C1 and C2 on the scale of rule 2, halved: both factors of 2 in the numerator are taken out of the quotient.
_C1 = np.float32((K1 * PEAK) ** 2 * _N * _N / 2)
_C2 = np.float32((K2 * PEAK) ** 2 * _N * (_N - 1) / 2)
# What float32 may take from a bound and add to a score, a window: at most 1.7e-6 and 1.5e-6
# (docs/methods/exhaustive.md), rounded up.
SLACK = 4e-6
# Side of a group of windows, and output rows between two looks at rule 5: few enough to stop early, enough to keep the loops
# long. Groups of half that side cost four times as much to bound and spare 7 % more windows.
_BAND_ROWS = 8
# Means that a group keeps: of the window sums, of their squares, of the roots of the spreads, of the spreads.
_MEANS = 4
# Positions summed in float32 before the sum goes on in float64. Equal quotients round alike and their error grows with the
# run: at 8 a vector, 32 additions of up to 2⁻²⁴ each stay within 1e-6 at the very worst; in 512 px rows 6e-6 was seen.
_RUN = 256
_BELOW = float("-inf")
# Indices are unsigned: numba otherwise tests each for being negative, and the loop does not vectorise.
_U = np.uintp


@compiled
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


@compiled
def group_sizes(channels: int, rows: int, columns: int) -> Floats:
    """Return how many windows each group holds, float32 (channels · groups down · groups across), row after row."""
    across = (columns + _BAND_ROWS - 1) // _BAND_ROWS
    down = (rows + _BAND_ROWS - 1) // _BAND_ROWS
    sizes = np.empty(channels * down * across, np.float32)
    for group in range(len(sizes)):
        top, left = group // across % down * _BAND_ROWS, group % across * _BAND_ROWS
        sizes[group] = np.float32(min(_BAND_ROWS, rows - top) * min(_BAND_ROWS, columns - left))
    return sizes


@compiled
def group_means(sums: NDArray[np.int16], spreads: Floats, width: int, means: Floats) -> None:
    """Fill the four means of every group of one image.

    Args:
        sums: int16 (C, (H - 6)·W), as `image_terms` leaves them.
        spreads: float32, the same shape, likewise.
        width: W.
        means: float32 (4, groups), written to in the order of `group_sizes`.
    """
    rows, columns = sums.shape[1] // width, width - _SIDE + 1
    group = 0
    for channel in range(sums.shape[0]):
        for top in range(0, rows, _BAND_ROWS):
            bottom = min(top + _BAND_ROWS, rows)
            for left in range(0, columns, _BAND_ROWS):
                right = min(left + _BAND_ROWS, columns)
                total, squares, roots, spread = 0.0, 0.0, 0.0, 0.0
                for row in range(top, bottom):
                    for i in range(row * width + left, row * width + right):
                        total += sums[channel, i]
                        squares += float(sums[channel, i]) ** 2
                        roots += math.sqrt(spreads[channel, i])
                        spread += spreads[channel, i]
                size = (bottom - top) * (right - left)
                means[0, group], means[1, group] = total / size, squares / size
                means[2, group], means[3, group] = roots / size, spread / size
                group += 1


@compiled
def open_bounds(x: Floats, y: Floats, sizes: Floats, bounds: Floats, opened: NDArray[np.float64]) -> float:
    """Bound what the windows from each band on can add to the sum of a pair's SSIM.

    Args:
        x: group means of one image, float32 (4, groups).
        y: those of the other.
        sizes: windows in each group, float32 (groups,).
        bounds: float32 (groups,), scratch.
        opened: float64 (bands + 1,), written to: the bound of all windows from a band on; the last is 0.

    Returns:
        The bound of all windows, `opened[0]`.
    """
    for i in range(_U(len(sizes))):
        apart, spread = x[2, i] - y[2, i], x[3, i] + y[3, i] + np.float32(2) * _C2
        off, bright = x[0, i] - y[0, i], x[1, i] + y[1, i] + np.float32(2) * _C1
        bounds[i] = sizes[i] * (np.float32(1) - max(apart * apart / spread, off * off / bright))
    bands = len(opened) - 1
    across = len(sizes) // bands
    opened[bands] = 0.0
    for band in range(bands - 1, -1, -1):
        total = 0.0
        for i in range(band * across, (band + 1) * across):
            total += bounds[i]
        opened[band] = opened[band + 1] + total
    whole: float = opened[0]
    return whole


@compiled
def fill_terms(
    pixels: NDArray[np.uint8],
    width: int,
    sums: NDArray[np.int16],
    spreads: Floats,
    means: Floats,
    start: int,
    stop: int,
) -> None:
    """Fill the terms of images start..stop; arrays as in `image_terms` and `group_means`, with a leading axis of images."""
    for i in range(start, stop):
        image_terms(pixels[i], width, sums[i], spreads[i])
        group_means(sums[i], spreads[i], width, means[i])


@compiled
def _prepare(
    pixels: NDArray[np.uint8],
    width: int,
    scaled: NDArray[np.int16],
    sums: NDArray[np.int16],
    squares: Floats,
    spreads: Floats,
    means: Floats,
) -> None:
    """Fill the generation's side (rule 3) from its pixels."""
    image_terms(pixels, width, sums, spreads)
    group_means(sums, spreads, width, means)
    for channel in range(pixels.shape[0]):
        for i in range(pixels.shape[1]):
            scaled[channel, i] = np.int16(_N) * np.int16(pixels[channel, i])
        for i in range(sums.shape[1]):
            total = np.float32(sums[channel, i])
            squares[channel, i] = total * total + np.float32(2) * _C1
            spreads[channel, i] += np.float32(2) * _C2
            if i % width > width - _SIDE:
                spreads[channel, i] = np.inf


@compiled
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
    opened: NDArray[np.float64],
    floor: float,
) -> float:
    """Return the SSIM of one pair, or -inf where it is certain to be below the floor (`opened` as in `open_bounds`)."""
    channels, size = view.shape
    rows = size // width - _SIDE + 1
    windows = channels * rows * (width - _SIDE + 1)
    band = 0
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
            band += 1
            if total + opened[band] < (floor - SLACK) * windows:
                return _BELOW
    similarity: float = total / windows
    return similarity


@compiled
def score_pairs(
    generations: NDArray[np.uint8],
    views: tuple[NDArray[np.uint8], NDArray[np.int16], Floats, Floats],
    width: int,
    candidates: NDArray[np.int64],
    scores: NDArray[np.float64],
    best: NDArray[np.int64],
    part: tuple[int, int, int, int],
) -> int:
    """Score generations against candidates within one part of the table.

    Args:
        generations: uint8 (g, C, H·W).
        views: pixels, uint8 (n, C, H·W), with sums, spreads and group means as `fill_terms` leaves them; sums and spreads of
            no views where they are to be computed of each view that is looked at.
        width: W.
        candidates: int64 (g or 1, k), view indices or -1; one row serves all generations.
        scores: float64 (g, k) for all scores; or (g, 1), holding the floor, for the best alone.
        best: int64 (g, 0) for all scores; (g, 1) for the best alone, holding the index of the floor.
        part: first and last-plus-one generation, first and last-plus-one column of candidates.

    Returns:
        How many pairs had any window looked at; the bounds of the others ruled them out.
    """
    pixels, view_sums, view_spreads, view_means = views
    channels, size = generations.shape[1:]
    rows = size // width - _SIDE + 1
    scaled = np.empty((channels, size), np.int16)
    sums = np.zeros((channels, rows * width), np.int16)
    squares, spreads = np.empty(sums.shape, np.float32), np.zeros(sums.shape, np.float32)
    products, across = np.empty(size, np.int32), np.empty(size, np.int32)
    sizes = group_sizes(channels, rows, width - _SIDE + 1)
    means, bounds = np.empty((_MEANS, len(sizes)), np.float32), np.empty(len(sizes), np.float32)
    opened = np.zeros(channels * ((rows + _BAND_ROWS - 1) // _BAND_ROWS) + 1)
    windows = channels * rows * (width - _SIDE + 1)
    only_best = best.shape[1] == 1
    is_lazy = len(view_sums) == 0
    own_sums, own_spreads = np.zeros(sums.shape, np.int16), np.zeros(sums.shape, np.float32)
    falling = np.zeros(part[3] - part[2])
    order = np.arange(part[3] - part[2])
    examined = 0
    for g in range(part[0], part[1]):
        _prepare(generations[g], width, scaled, sums, squares, spreads, means)
        row = g % candidates.shape[0]
        if only_best:
            for k in range(len(falling)):
                view = candidates[row, part[2] + k]
                falling[k] = np.inf if view < 0 else -open_bounds(means, view_means[view], sizes, bounds, opened)
            order = np.argsort(falling)
        for place in order:
            view = candidates[row, part[2] + place]
            if view < 0:
                continue
            floor = scores[g, 0] if only_best else -np.inf
            if only_best:
                if -falling[place] < (floor - SLACK) * windows:
                    break
                open_bounds(means, view_means[view], sizes, bounds, opened)
            examined += 1
            if is_lazy:
                image_terms(pixels[view], width, own_sums, own_spreads)
            score = _pair(
                scaled,
                sums,
                squares,
                spreads,
                pixels[view],
                own_sums if is_lazy else view_sums[view],
                own_spreads if is_lazy else view_spreads[view],
                width,
                products,
                across,
                opened,
                floor,
            )
            if not only_best:
                scores[g, part[2] + place] = score
            elif score > floor or (score == floor and view < best[g, 0]):
                scores[g, 0] = score
                best[g, 0] = view
    return examined
