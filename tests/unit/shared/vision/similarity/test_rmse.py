"""RMSE on images small enough to work out by hand, and against naive NumPy."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.vision.similarity.rmse import rmse
from tests.unit.shared.vision.similarity.pictures import bands, batch, varied_pairs

PAIRS = varied_pairs()


def test_rmse_averages_the_roots_of_the_bands() -> None:
    assert rmse(bands(0, 0, 0), bands(51, 0, 255)).item() == pytest.approx((0.2 + 0 + 1) / 3)


@pytest.mark.parametrize("pair", PAIRS)
def test_rmse_against_naive_sums(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    a, b = (picture.astype(np.float64) for picture in pair)
    errors = ((a - b) ** 2).mean(axis=(0, 1))
    assert rmse(*map(batch, pair)).item() == pytest.approx((np.sqrt(errors) / 255).mean(), abs=1e-12)
