"""PSNR: peak signal-to-noise ratio in decibels.

Rules, in order:

1. One mean square error over all pixels and bands; peak 255.
2. Equal images have no noise: +infinity.

Source: Müller et al. 2020 (see `shared.vision.similarity.rmse`); scikit-image, peak_signal_noise_ratio.
"""

import torch

from shared.vision.similarity.image_pairs import float64_pair
from shared.vision.similarity.ssim_constants import PEAK


def psnr(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Measure the peak signal-to-noise ratio, 20 log10(255) - 10 log10(MSE); symmetric.

    Args:
        x: float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: the same shape, 0..255.

    Returns:
        float64 tensor (N,), range 0..+inf, dB; +inf for equal images.

    Raises:
        InputError: unequal shapes or not float images.

    >>> psnr(torch.zeros(1, 1, 1, 2), torch.full((1, 1, 1, 2), 25.5)).item()
    20.0
    """
    x, y = float64_pair(x, y)
    mean_square_error = (x - y).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(PEAK**2 / mean_square_error)
