"""The search for the best SSIM on an accelerator, with the result of the compiled one.

Rules, in order:

1. Window sums and sums of products are int32 on the device and exact, as in `shared.vision.similarity.compiled_ssim`. A
   window's quotient is float32 and the mean float64, so a score differs from the compiled one by rounding alone.
2. The device proposes every view whose score is within twice that rounding of the best. The processor scores the proposals by
   the compiled loops and decides, ties to the lowest view. So index and score are those of `best_ssim`, bit for bit.
3. The caller names the device. Where it is missing, that is an error: no other takes its place.

Source: Wang et al. 2004, equation 13.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from shared.errors import InputError, UnavailableError
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.matching.ssim_search.ssim_terms import Images, Indices, Numbers, Scores, verified_candidates
from shared.vision.similarity.ssim_constants import K1, K2, PEAK, UNIFORM_SIDE_PX

_N = UNIFORM_SIDE_PX**2
_C1 = (K1 * PEAK) ** 2 * _N * _N
_C2 = (K2 * PEAK) ** 2 * _N * (_N - 1)
# Each side is within 1.5e-6 of the exact score (docs/methods/exhaustive.md); the best and its rival may err apart.
PROPOSED_WITHIN = 6e-6
# Pixels of pairs scored at once: some ten int32 and float32 planes of them are alive, 160 MB.
GROUP_PX = 1 << 22


def open_device(name: str) -> torch.device:
    """Open the device that a setting names.

    Args:
        name: "cpu", "cuda" or "cuda:<n>".

    Raises:
        InputError: another name.
        UnavailableError: the machine has no such device.

    >>> open_device("cpu").type
    'cpu'
    """
    kind, _, number = name.partition(":")
    if kind not in {"cpu", "cuda"} or (number and not number.isdecimal()) or (kind == "cpu" and number):
        raise InputError(f"device: expected cpu, cuda or cuda:<n>, got {name!r}", code="unknown_device")
    present = torch.cuda.device_count() if kind == "cuda" else 1
    if int(number or 0) >= present:
        raise UnavailableError(f"expected device {name}, got a machine with {present} of that kind", code="device_missing")
    return torch.device(name)


def best_ssim_on_device(
    generations: Images, views: Images, candidates: Indices | None = None, *, device: str = "cuda"
) -> tuple[Numbers, Scores]:
    """Find each generation's best match among its candidates, as `best_ssim` does, on a device.

    Args:
        generations: uint8 (g, C, H, W).
        views: uint8 (n, C, H, W).
        candidates: int (g, k), view indices 0..n-1 or -1 for none; None for all n views.
        device: "cpu", "cuda" or "cuda:<n>".

    Returns:
        What `best_ssim` returns for the same arguments.

    Raises:
        InputError: images or candidates that `best_ssim` refuses, or an unknown device.
        UnavailableError: the machine has no such device.

    >>> views = np.stack([np.zeros((1, 8, 8), np.uint8), np.full((1, 8, 8), 200, np.uint8)])
    >>> best_ssim_on_device(views[1:], views, device="cpu")[0].tolist()
    [1]
    """
    torch_device = open_device(device)
    verified = verified_candidates(generations, views, candidates)
    if verified.shape[1] == 0 or len(generations) == 0:
        return best_ssim(generations, views, candidates)
    rows = np.broadcast_to(verified, (len(generations), verified.shape[1]))
    proposals = np.full(rows.shape, -1, np.int64)
    device_views = torch.from_numpy(np.array(views)).to(torch_device)
    for i, row in enumerate(rows):
        scores = _scores(torch.from_numpy(np.array(generations[i])).to(torch_device), device_views, row)
        close = scores >= np.nanmax(scores, initial=-np.inf) - PROPOSED_WITHIN
        proposals[i, close] = row[close]
    width = max(1, int((proposals >= 0).sum(axis=1).max()))
    # Proposals first, then none: few columns are left for the processor.
    return best_ssim(generations, views, -np.sort(-proposals, axis=1)[:, :width])


def _scores(generation: torch.Tensor, views: torch.Tensor, row: NDArray[np.int64]) -> NDArray[np.float64]:
    """Score one generation against the views that a row names, float64 (k,); NaN for none."""
    scores = np.full(len(row), np.nan)
    present = np.flatnonzero(row >= 0)
    x = generation.to(torch.int32)[None]
    sum_x = _box_sum(x)
    spread_x = _N * _box_sum(x * x) - sum_x * sum_x
    group = max(1, GROUP_PX // generation.numel())
    for start in range(0, len(present), group):
        part = present[start : start + group]
        y = views[torch.from_numpy(row[part]).to(views.device)].to(torch.int32)
        sum_y = _box_sum(y)
        means = sum_x * sum_y
        covariance = _N * _box_sum(x * y) - means
        spread = spread_x + _N * _box_sum(y * y) - sum_y * sum_y
        bright = sum_x.float().square() + sum_y.float().square() + _C1
        quality = (2 * means.float() + _C1) * (2 * covariance.float() + _C2) / (bright * (spread.float() + _C2))
        scores[part] = quality.double().mean(dim=(1, 2, 3)).cpu().numpy()
    return scores


def _box_sum(images: torch.Tensor) -> torch.Tensor:
    """Sum every 7 × 7 window of integer images, tap by tap: exact on every device."""
    height_px, width_px = images.shape[-2:]
    rows, columns = height_px - UNIFORM_SIDE_PX + 1, width_px - UNIFORM_SIDE_PX + 1
    down = images[..., :rows, :].clone()
    for tap in range(1, UNIFORM_SIDE_PX):
        down += images[..., tap : tap + rows, :]
    sums = down[..., :columns].clone()
    for tap in range(1, UNIFORM_SIDE_PX):
        sums += down[..., tap : tap + columns]
    return sums
