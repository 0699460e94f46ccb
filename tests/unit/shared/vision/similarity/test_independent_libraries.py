"""SSIM and PSNR against scikit-image, FSIM against piq."""

import numpy as np
import piq
import pytest
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from shared.vision.similarity.fsim import fsim
from shared.vision.similarity.psnr import psnr
from shared.vision.similarity.ssim import ssim
from tests.unit.shared.vision.similarity.pictures import batch, photograph, varied_pairs

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


@pytest.mark.parametrize("pair", PAIRS)
def test_psnr_is_scikit_image_s(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    a, b = pair
    assert psnr(batch(a), batch(b)).item() == pytest.approx(peak_signal_noise_ratio(a, b), abs=1e-9)


@pytest.mark.parametrize("pair", PAIRS)
def test_fsim_is_piq_s(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    x, y = (batch(picture) for picture in pair)
    expected = piq.fsim(x, y, data_range=255, chromatic=False, reduction="none").item()
    assert fsim(x, y).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair[0].shape[2] == 3])
def test_chromatic_fsim_is_piq_s(pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    x, y = (batch(picture) for picture in pair)
    expected = piq.fsim(x, y, data_range=255, chromatic=True, reduction="none").item()
    assert fsim(x, y, chromatic=True).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("height_px", "width_px"), [(33, 48), (47, 31), (389, 384)])
def test_fsim_is_piq_s_at_odd_and_large_sizes(height_px: int, width_px: int) -> None:
    a = photograph("astronaut", 405, 60, 60)[:height_px, :width_px]
    x, y = batch(a), batch(np.ascontiguousarray(a[::-1]))
    expected = piq.fsim(x, y, data_range=255, chromatic=False, reduction="none").item()
    assert fsim(x, y).item() == pytest.approx(expected, abs=1e-9)


def test_fsim_of_a_batch_is_that_of_its_pairs() -> None:
    colour = [pair for pair in PAIRS if pair[0].shape[2] == 3]
    x, y = batch(*(a for a, _ in colour)), batch(*(b for _, b in colour))
    singly = torch.cat([fsim(x[i : i + 1], y[i : i + 1]) for i in range(len(x))])
    torch.testing.assert_close(fsim(x, y), singly, rtol=0, atol=1e-12)
