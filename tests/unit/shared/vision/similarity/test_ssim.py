"""SSIM against scikit-image: its default, and the paper's Gaussian window."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from shared.vision.similarity.ssim import ssim
from tests.unit.shared.vision.similarity.pictures import batch, varied_pairs

PAIRS = varied_pairs()


@pytest.mark.parametrize("pair", PAIRS)
def test_ssim_is_scikit_image_s_default(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    a, b = pair
    expected = structural_similarity(a, b, channel_axis=2, data_range=255)
    assert ssim(batch(a), batch(b)).item() == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("pair", PAIRS)
def test_gaussian_ssim_is_the_paper_s(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    a, b = pair
    expected = structural_similarity(
        a, b, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(batch(a), batch(b), window="gaussian").item() == pytest.approx(expected, abs=1e-10)
