"""UIQ: the universal image quality index.

Rules, in order:

1. 8 × 8 windows, step 1, within each band; the quality of all windows and bands is averaged.
2. A window pair with any variation: 4 σxy x̄ ȳ / ((σx² + σy²)(x̄² + ȳ²)).
3. Both windows flat, not both black: 2 x̄ ȳ / (x̄² + ȳ²). Equal flat windows so score 1.
4. Both windows black: 1.

Source: Wang and Bovik, "A Universal Image Quality Index", IEEE SPL 9(3), 2002, and the authors' program
img_qi.m, which holds rules 3 and 4.
"""

import torch

from shared.vision.similarity.image_pairs import float64_pair
from shared.vision.similarity.windows import box_sum

# Wang and Bovik 2002, section III: sliding window of size 8 × 8.
SIDE_PX = 8
# Float64 leaves a flat window of n = 64 equal values at most about n·2⁻⁵³ ≈ 7e-15 of its square sum as
# "variance"; one 8-bit level in one pixel makes at least 1/255²/64 ≈ 2e-7. Anything below this bound is
# rounding.
FLAT = 1e-12


def uiq(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Measure the universal image quality index; 1 for equal images, symmetric.

    Args:
        x: float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: the same shape, 0..255.

    Returns:
        float64 tensor (N,), range -1..1, no unit.

    Raises:
        InputError: unequal shapes, not float images, or a side shorter than 8 px.

    Source: Wang and Bovik 2002, equation 1, and img_qi.m.

    >>> white = torch.full((1, 1, 8, 8), 255.0)
    >>> uiq(white, white).item(), uiq(white, white / 2).item()
    (1.0, 0.8)
    """
    x, y = float64_pair(x, y, minimum_px=SIDE_PX)
    means, brightness, covariance, variance = window_statistics(x, y)
    varied = variance > FLAT * brightness
    quality = torch.where(brightness > 0, 2 * means / brightness, 1.0)
    quality = torch.where(varied, quality * 2 * covariance / variance, quality)
    return quality.mean(dim=(1, 2))


def window_statistics(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the four statistics of every window pair that UIQ is made of; exact for 8-bit values.

    Args:
        x: float64 tensor (N, C, H, W), sides at least 8 px.
        y: the same shape.

    Returns:
        n²·x̄ȳ, n²·(x̄² + ȳ²), n²·σxy and n²·(σx² + σy²), each (N, C, positions), population moments, n = 64.
    """
    moments = torch.stack([x, y, x * x + y * y, x * y])
    windows = box_sum(moments.flatten(0, 1), SIDE_PX).flatten(2)
    sum_x, sum_y, squares, products = torch.tensor_split(windows, 4)
    count = SIDE_PX**2
    means, brightness = sum_x * sum_y, sum_x**2 + sum_y**2
    return means, brightness, count * products - means, count * squares - brightness
