"""SSIM: structural similarity.

Rules, in order:

1. Default: 7 × 7 uniform window, sample covariance (divided by 48), as scikit-image does by default.
2. Optional: 11 × 11 Gaussian window of σ 1.5 px, population covariance, as in the paper.
3. Only whole windows; the map is averaged over positions, then over channels.

Source: Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to Structural
Similarity", IEEE TIP 13(4), 2004, equation 13.
"""

from typing import Literal

import torch

from shared.vision.similarity.image_pairs import float64_pair
from shared.vision.similarity.ssim_constants import K1, K2, PEAK, UNIFORM_SIDE_PX
from shared.vision.similarity.windows import box_sum, gaussian_mean

# Wang et al. 2004, section III.C: 11 × 11 circular-symmetric Gaussian, standard deviation 1.5 samples.
GAUSSIAN_SIDE_PX = 11
GAUSSIAN_SIGMA_PX = 1.5

Window = Literal["uniform", "gaussian"]


def ssim(x: torch.Tensor, y: torch.Tensor, *, window: Window = "uniform") -> torch.Tensor:
    """Measure structural similarity; 1 for equal images, symmetric.

    Args:
        x: float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: the same shape, 0..255.
        window: "uniform" (7 × 7, scikit-image's default) or "gaussian" (11 × 11, σ 1.5, the paper's).

    Returns:
        float64 tensor (N,), range -1..1, no unit.

    Raises:
        InputError: unequal shapes, not float images, or a side shorter than the window (7 or 11 px).

    Source: Wang et al. 2004, equation 13.
    """
    side_px = UNIFORM_SIDE_PX if window == "uniform" else GAUSSIAN_SIDE_PX
    x, y = float64_pair(x, y, minimum_px=side_px)
    moments = torch.stack([x, y, x * x, y * y, x * y])
    mean_x, mean_y, square_x, square_y, product = _window_means(moments, window)
    # Unbiased estimates divide by n - 1; the Gaussian form has no such count and stays a weighted mean.
    unbias = side_px**2 / (side_px**2 - 1) if window == "uniform" else 1.0
    spread = unbias * (square_x - mean_x**2 + square_y - mean_y**2)
    covariance = unbias * (product - mean_x * mean_y)
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (spread + c2)
    means: torch.Tensor = (luminance * structure).mean(dim=(1, 2, 3))
    return means


def _window_means(moments: torch.Tensor, window: Window) -> torch.Tensor:
    planes = moments.flatten(0, 1)
    if window == "uniform":
        means = box_sum(planes, UNIFORM_SIDE_PX) / UNIFORM_SIDE_PX**2
    else:
        means = gaussian_mean(planes, GAUSSIAN_SIDE_PX, GAUSSIAN_SIGMA_PX)
    return means.view(*moments.shape[:2], *means.shape[1:])
