"""SRE on images small enough to work out by hand, at its ends, and against naive NumPy."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.vision.similarity.sre import sre
from tests.unit.shared.vision.similarity.pictures import bands, batch, varied_pairs

PAIRS = varied_pairs()


def test_sre_averages_ratios_before_decibels() -> None:
    # Ratios 100²/10² and 50²/5², and a band without signal: (100 + 100 + 0) / 3.
    assert sre(bands(100, 50, 0), bands(90, 45, 9)).item() == pytest.approx(10 * math.log10(200 / 3))


def test_sre_takes_x_as_the_signal() -> None:
    assert sre(bands(100.0), bands(50.0)).item() == pytest.approx(10 * math.log10(4))
    assert sre(bands(50.0), bands(100.0)).item() == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [((9, 9, 9), (9, 9, 9), math.inf), ((0, 0, 0), (0, 0, 0), math.inf), ((0, 0, 0), (1, 0, 0), -math.inf)],
)
def test_sre_at_its_ends(x: tuple[float, ...], y: tuple[float, ...], expected: float) -> None:
    assert sre(bands(*x), bands(*y)).item() == expected


@pytest.mark.parametrize("pair", PAIRS)
def test_sre_against_naive_sums(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    a, b = (picture.astype(np.float64) for picture in pair)
    ratios = a.mean(axis=(0, 1)) ** 2 / ((a - b) ** 2).mean(axis=(0, 1))
    assert sre(*map(batch, pair)).item() == pytest.approx(10 * np.log10(ratios.mean()), abs=1e-9)
