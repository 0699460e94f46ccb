"""Sliding-window sums and weighted means over image batches, without padding.

Rules, in order:

1. Only whole windows count ("valid"): an H × W image under a window of n px gives (H - n + 1) × (W - n + 1)
   positions.
2. Windows are separable, rows first, then columns: 2n taps instead of n².
3. Sums are taken tap by tap, never by running differences, so a flat window of any value has no drift.
"""

import torch
from torch.nn import functional


def box_sum(images: torch.Tensor, side_px: int) -> torch.Tensor:
    """Sum every side × side window.

    Args:
        images: float tensor (N, C, H, W).
        side_px: window side, 1..min(H, W).

    Returns:
        float tensor (N, C, H - side + 1, W - side + 1).

    >>> box_sum(torch.ones(1, 1, 3, 4), 2).flatten().tolist()
    [4.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    """
    height_px, width_px = images.shape[-2:]
    rows = images[..., : height_px - side_px + 1, :].clone()
    for offset in range(1, side_px):
        rows += images[..., offset : height_px - side_px + 1 + offset, :]
    sums = rows[..., : width_px - side_px + 1].clone()
    for offset in range(1, side_px):
        sums += rows[..., offset : width_px - side_px + 1 + offset]
    return sums


def gaussian_mean(images: torch.Tensor, side_px: int, sigma_px: float) -> torch.Tensor:
    """Average every side × side window with normalised Gaussian weights.

    Args:
        images: float tensor (N, C, H, W).
        side_px: odd window side, 1..min(H, W).
        sigma_px: standard deviation of the weights.

    Returns:
        float tensor (N, C, H - side + 1, W - side + 1).

    >>> gaussian_mean(torch.full((1, 1, 3, 3), 7.0, dtype=torch.float64), 3, 1.5).round(decimals=9).item()
    7.0
    """
    reach_px = side_px // 2
    positions = torch.arange(-reach_px, reach_px + 1, dtype=images.dtype, device=images.device)
    weights = torch.exp(-(positions**2) / (2 * sigma_px**2))
    weights = (weights / weights.sum()).view(1, 1, side_px, 1)
    planes = images.flatten(0, 1).unsqueeze(1)
    means = functional.conv2d(functional.conv2d(planes, weights), weights.transpose(-1, -2))
    return means.view(*images.shape[:2], *means.shape[-2:])
