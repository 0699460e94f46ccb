"""Sums and weighted means of windows, against scipy's filters."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.signal import convolve2d

from shared.vision.similarity.windows import box_sum, gaussian_mean

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 13, 17))).double()


@pytest.mark.parametrize("side_px", [1, 7, 8, 13])
def test_box_sums_are_those_of_a_convolution(side_px: int) -> None:
    sums = box_sum(IMAGES, side_px)
    assert sums.shape == (2, 3, 14 - side_px, 18 - side_px)
    for number in range(2):
        for band in range(3):
            expected = convolve2d(IMAGES[number, band].numpy(), np.ones((side_px, side_px)), mode="valid")
            np.testing.assert_allclose(sums[number, band].numpy(), expected, rtol=0, atol=1e-9)


def test_a_flat_image_has_no_drift() -> None:
    flat = torch.full((1, 1, 200, 200), 0.1, dtype=torch.float64)
    assert box_sum(flat, 7).unique().numel() == 1


def test_gaussian_means_are_those_of_a_filter() -> None:
    means = gaussian_mean(IMAGES, 11, 1.5)
    expected = ndimage.gaussian_filter(IMAGES[1, 2].numpy(), 1.5, truncate=5 / 1.5)[5:-5, 5:-5]
    np.testing.assert_allclose(means[1, 2].numpy(), expected, rtol=0, atol=1e-9)
