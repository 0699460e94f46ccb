"""PSNR worked out by hand, and against scikit-image."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio

from shared.vision.similarity.psnr import psnr
from tests.unit.shared.vision.similarity.pictures import bands, batch, varied_pairs


def test_psnr_of_one_level_everywhere() -> None:
    assert psnr(bands(7, 7, 7), bands(8, 8, 8)).item() == pytest.approx(20 * math.log10(255))


PAIRS = varied_pairs()


@pytest.mark.parametrize("pair", PAIRS)
def test_psnr_is_scikit_image_s(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    a, b = pair
    assert psnr(batch(a), batch(b)).item() == pytest.approx(peak_signal_noise_ratio(a, b), abs=1e-9)
