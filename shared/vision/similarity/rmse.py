"""RMSE: root mean square error, per band, then averaged, on a scale of 0 to 1.

Rules, in order:

1. Differences are divided by 255, so 0 is equal and 1 is black against white.
2. The root is taken within each band; the bands' roots are averaged.

Source: Müller, Ekhtiari, Almeida, Rieke, "Super-Resolution of Multispectral Satellite Images Using
Convolutional Neural Networks", ISPRS Annals V-1, 2020, whose package image-similarity-measures averages per
band.
"""

import torch

from shared.vision.similarity.image_pairs import float64_pair
from shared.vision.similarity.ssim_constants import PEAK


def rmse(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Measure the root mean square error; 0 for equal images, symmetric.

    Args:
        x: float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: the same shape, 0..255.

    Returns:
        float64 tensor (N,), range 0..1, share of full scale.

    Raises:
        InputError: unequal shapes or not float images.

    >>> rmse(torch.zeros(1, 1, 1, 2), torch.full((1, 1, 1, 2), 51.0)).item()
    0.2
    """
    x, y = float64_pair(x, y)
    return ((x - y) / PEAK).square().mean(dim=(2, 3)).sqrt().mean(dim=1)
