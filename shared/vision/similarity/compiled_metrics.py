"""The literature's metrics of one pair of 8-bit images, as compiled loops: the results of the modules beside it, sooner.

Rules, in order:

1. Sums of 8-bit values and of their products are integers and exact. Quotients and roots are float64.
2. Every metric follows its own module, with its conventions for flat windows and black pixels. Tests hold the two together.
3. FSIM takes its responses from one transform of both luminances, then makes one pass over the pixels. Images that FSIM
   averages down first are left to `fsim`.

Source: the modules of the metrics; FeatureSIM.m for rule 3.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import fft

from shared.compute.compiling import compiled
from shared.vision.similarity.fsim import SCHARR, T1, T2, VIEWING_SIDE_PX, YIQ
from shared.vision.similarity.phase_congruency import filter_bank
from shared.vision.similarity.ssim_constants import K1, K2, PEAK, UNIFORM_SIDE_PX
from shared.vision.similarity.uiq import SIDE_PX

Plane = NDArray[np.uint8]
Floats = NDArray[np.float64]

_C1, _C2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
_RED, _GREEN, _BLUE = YIQ[0]
_EDGE, _MIDDLE = SCHARR[0][2] / 16, SCHARR[1][2] / 16
# As in phase_congruency: keeps quotients of nothing finite.
_TINY = float(np.finfo(np.float64).eps)
# Sums of a window pair: of x, of y, of their squares, of the products.
_SUMS = 5


def is_averaged_down(height_px: int, width_px: int) -> bool:
    """Say whether FSIM shrinks images of this size before it measures them.

    >>> is_averaged_down(64, 64), is_averaged_down(512, 512)
    (False, True)
    """
    return round(min(height_px, width_px) / VIEWING_SIDE_PX) > 1


@compiled
def _add_row(x: Plane, y: Plane, row: int, sign: int, columns: NDArray[np.int64]) -> None:
    """Add (or take away) one row of a band's pair to the sums of each column."""
    for j in range(x.shape[1]):
        a, b = np.int64(x[row, j]), np.int64(y[row, j])
        columns[0, j] += sign * a
        columns[1, j] += sign * b
        columns[2, j] += sign * a * a
        columns[3, j] += sign * b * b
        columns[4, j] += sign * a * b


@compiled
def _ssim_window(sums: NDArray[np.int64], count: float) -> float:
    means, brightness = sums[0] * sums[1] / count**2, (sums[0] ** 2 + sums[1] ** 2) / count**2
    scale = count * (count - 1)
    covariance = (count * sums[4] - sums[0] * sums[1]) / scale
    spread = (count * (sums[2] + sums[3]) - sums[0] ** 2 - sums[1] ** 2) / scale
    quality: float = (2 * means + _C1) * (2 * covariance + _C2) / ((brightness + _C1) * (spread + _C2))
    return quality


@compiled
def _uiq_window(sums: NDArray[np.int64], count: int) -> float:
    means, brightness = sums[0] * sums[1], sums[0] ** 2 + sums[1] ** 2
    variance = count * (sums[2] + sums[3]) - brightness
    quality = 2.0 * means / brightness if brightness > 0 else 1.0
    if variance > 0:
        quality *= 2.0 * (count * sums[4] - means) / variance
    return quality


@compiled
def _windows_mean(x: NDArray[np.uint8], y: NDArray[np.uint8], side: int, of_ssim: bool) -> float:
    """Average SSIM or UIQ over all windows and bands of a pair, uint8 (C, H, W)."""
    channels, height, width = x.shape
    columns, sums = np.zeros((_SUMS, width), np.int64), np.zeros(_SUMS, np.int64)
    total = 0.0
    for channel in range(channels):
        columns[:] = 0
        for row in range(height):
            _add_row(x[channel], y[channel], row, 1, columns)
            if row >= side:
                _add_row(x[channel], y[channel], row - side, -1, columns)
            if row < side - 1:
                continue
            sums[:] = 0
            for j in range(width):
                for k in range(_SUMS):
                    sums[k] += columns[k, j] - (columns[k, j - side] if j >= side else 0)
                if j >= side - 1:
                    total += _ssim_window(sums, side * side) if of_ssim else _uiq_window(sums, side * side)
    mean: float = total / (channels * (height - side + 1) * (width - side + 1))
    return mean


@compiled
def _spectral_angle(x: NDArray[np.uint8], y: NDArray[np.uint8]) -> float:
    channels, height, width = x.shape
    total = 0.0
    for row in range(height):
        for j in range(width):
            dot, square_x, square_y = np.int64(0), np.int64(0), np.int64(0)
            for channel in range(channels):
                a, b = np.int64(x[channel, row, j]), np.int64(y[channel, row, j])
                dot += a * b
                square_x += a * a
                square_y += b * b
            if (square_x == 0) != (square_y == 0):
                total += 90.0
            else:
                total += math.degrees(math.atan2(math.sqrt(square_x * square_y - dot * dot), dot))
    mean: float = total / (height * width)
    return mean


@compiled
def _luminance(image: NDArray[np.uint8], plane: Floats) -> None:
    for row in range(image.shape[1]):
        for j in range(image.shape[2]):
            if image.shape[0] == 1:
                plane[row, j] = image[0, row, j]
            else:
                plane[row, j] = _RED * image[0, row, j] + _GREEN * image[1, row, j] + _BLUE * image[2, row, j]


@compiled
def _congruency(response: NDArray[np.complex128], thresholds: Floats, congruency: Floats) -> None:
    """Fill phase congruency (H, W) from one image's responses, (orientations, scales, H, W), and their noise thresholds."""
    orientations, scales, height, width = response.shape
    amplitude, energies = np.zeros((height, width)), np.zeros((height, width))
    for o in range(orientations):
        for row in range(height):
            for j in range(width):
                even, odd = 0.0, 0.0
                for s in range(scales):
                    wave = response[o, s, row, j]
                    even += wave.real
                    odd += wave.imag
                    amplitude[row, j] += math.sqrt(wave.real**2 + wave.imag**2)
                square = even * even + odd * odd
                length = math.sqrt(square) + _TINY
                energy = square / length - thresholds[o]
                for s in range(scales):
                    wave = response[o, s, row, j]
                    energy -= abs(wave.real * (odd / length) - wave.imag * (even / length))
                energies[row, j] += max(energy, 0.0)
    for row in range(height):
        for j in range(width):
            congruency[row, j] = (energies[row, j] + _TINY) / (amplitude[row, j] + _TINY)


@compiled
def _gradient(plane: Floats, row: int, j: int) -> float:
    """Return the length of Scharr's gradient at a pixel; outside the image there is 0."""
    height, width = plane.shape
    down, across = 0.0, 0.0
    for i in range(-1, 2):
        for k in range(-1, 2):
            if 0 <= row + i < height and 0 <= j + k < width:
                value = plane[row + i, j + k]
                across += value * k * (_MIDDLE if i == 0 else _EDGE)
                down += value * i * (_MIDDLE if k == 0 else _EDGE)
    length: float = math.sqrt(across * across + down * down)
    return length


@compiled
def _feature_score(planes: Floats, congruency: Floats) -> float:
    score, weights = 0.0, 0.0
    for row in range(planes.shape[1]):
        for j in range(planes.shape[2]):
            a, b = congruency[0, row, j], congruency[1, row, j]
            g, h = _gradient(planes[0], row, j), _gradient(planes[1], row, j)
            weight = max(a, b)
            score += weight * (2 * a * b + T1) / (a * a + b * b + T1) * (2 * g * h + T2) / (g * g + h * h + T2)
            weights += weight
    return score / weights


@lru_cache(maxsize=8)
def _bank(height_px: int, width_px: int) -> tuple[Floats, Floats]:
    filters, gain = filter_bank(height_px, width_px, torch.device("cpu"))
    return filters.numpy(), gain.numpy()


def _thresholds(response: NDArray[np.complex128], gain: Floats) -> Floats:
    """Return the noise threshold of each orientation, from the median energy of its smallest scale."""
    energies = (np.square(response[:, 0].real) + np.square(response[:, 0].imag)).reshape(len(response), -1)
    # The lower of two middle values, as torch has it; squares keep the order of the amplitudes.
    middle = (energies.shape[1] - 1) // 2
    thresholds: Floats = np.sqrt(np.partition(energies, middle, axis=1)[:, middle] * gain)
    return thresholds


def ssim_of_pair(x: NDArray[np.uint8], y: NDArray[np.uint8]) -> float:
    """Measure SSIM of one pair, uint8 (C, H, W), sides at least 7 px; as `shared.vision.similarity.ssim`."""
    return _windows_mean(x, y, UNIFORM_SIDE_PX, True)


def uiq_of_pair(x: NDArray[np.uint8], y: NDArray[np.uint8]) -> float:
    """Measure UIQ of one pair, uint8 (C, H, W), sides at least 8 px; as `shared.vision.similarity.uiq`."""
    return _windows_mean(x, y, SIDE_PX, False)


def sam_of_pair(x: NDArray[np.uint8], y: NDArray[np.uint8]) -> float:
    """Measure the mean spectral angle of one pair, uint8 (C, H, W), in degrees; as `shared.vision.similarity.sam`."""
    return _spectral_angle(x, y)


def fsim_of_pair(x: NDArray[np.uint8], y: NDArray[np.uint8]) -> float:
    """Measure FSIM of one pair, uint8 (C, H, W), where `is_averaged_down` is False; as `shared.vision.similarity.fsim`."""
    filters, gain = _bank(*x.shape[1:])
    planes, congruency = np.empty((2, *x.shape[1:])), np.empty((2, *x.shape[1:]))
    for side, image in enumerate((x, y)):
        _luminance(image, planes[side])
        response = fft.ifft2(fft.fft2(planes[side]) * filters, overwrite_x=True)
        _congruency(response, _thresholds(response, gain), congruency[side])
    return _feature_score(planes, congruency)
