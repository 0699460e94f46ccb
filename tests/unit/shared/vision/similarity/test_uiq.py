"""UIQ of windows that are known, and against naive windows, by definition and as the package has it."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shared.vision.similarity.muller2020 import package_uiq
from shared.vision.similarity.uiq import uiq
from tests.unit.shared.vision.similarity.pictures import bands, batch, varied_pairs

PAIRS = varied_pairs()


@pytest.mark.parametrize(
    ("x", "y", "quality"),
    [((255,), (255,), 1.0), ((0,), (0,), 1.0), ((0,), (9,), 0.0), ((200,), (100,), 0.8), ((0.1,), (0.1,), 1.0)],
)
def test_uiq_of_flat_windows(x: tuple[float, ...], y: tuple[float, ...], quality: float) -> None:
    assert uiq(bands(*x), bands(*y)).item() == pytest.approx(quality, abs=1e-12)


def test_uiq_of_a_negative() -> None:
    ramp = torch.arange(64, dtype=torch.float64).view(1, 1, 8, 8)
    # Equal variances and means, opposite correlation.
    assert uiq(ramp, 63 - ramp).item() == pytest.approx(-1.0)


def naive_uiq(a: NDArray[np.uint8], b: NDArray[np.uint8], flat_counts: bool) -> float:
    qualities: list[float] = []
    for band in range(a.shape[2]):
        for top in range(a.shape[0] - 7):
            for left in range(a.shape[1] - 7):
                x, y = (image[top : top + 8, left : left + 8, band].astype(np.float64) for image in (a, b))
                spread, level = x.var() + y.var(), x.mean() ** 2 + y.mean() ** 2
                if spread > 0:
                    qualities.append(4 * np.mean((x - x.mean()) * (y - y.mean())) * x.mean() * y.mean() / spread / level)
                elif flat_counts:
                    qualities.append(2 * x.mean() * y.mean() / level if level else 1.0)
                else:
                    qualities.append(0.0)
    return float(np.mean(qualities))


@pytest.mark.parametrize("pair", PAIRS[:4])
def test_uiq_against_naive_windows(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    a, b = (picture[:20, :18].copy() for picture in pair)
    a[:10, :10] = b[:10, :10] = 255
    assert uiq(batch(a), batch(b)).item() == pytest.approx(naive_uiq(a, b, True), abs=1e-10)
    assert package_uiq(batch(a), batch(b)).item() == pytest.approx(naive_uiq(a, b, False), abs=1e-10)
