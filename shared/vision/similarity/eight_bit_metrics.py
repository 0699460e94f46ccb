"""The literature's metrics of batches of 8-bit images, over all cores.

Rules, in order:

1. Pairs are measured one by one, so that a pair's planes stay in a core's cache. Each thread takes a part of the batch.
2. RMSE, PSNR and SRE follow from each band's integer sums, with the conventions of their own modules.
3. Images that FSIM averages down first are left to `fsim`.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from shared.compute.threads import cut_evenly, in_threads, usable_cores
from shared.vision.similarity.compiled_metrics import (
    fsim_of_pair,
    is_averaged_down,
    sam_of_pair,
    ssim_of_pair,
    uiq_of_pair,
)
from shared.vision.similarity.fsim import fsim
from shared.vision.similarity.image_pairs import verify_shapes
from shared.vision.similarity.ssim_constants import PEAK
from shared.vision.similarity.uiq import SIDE_PX

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]


def measure_eight_bit(x: Images, y: Images) -> dict[str, Any]:
    """Measure the seven metrics of each pair, and whether it is identical.

    Args:
        x: training images, uint8 (N, C, H, W), C 1 or 3.
        y: generations, the same shape.

    Returns:
        Arrays (N,) by name: the metrics float64, `identical` bool.

    Raises:
        InputError: unequal shapes, a side shorter than 8 px, or not the shape of images.

    >>> white = np.full((1, 1, 8, 8), 255, np.uint8)
    >>> measured = measure_eight_bit(white, white)
    >>> measured["ssim"].tolist(), measured["psnr"].tolist(), measured["identical"].tolist()
    ([1.0], [inf], [True])
    """
    verify_shapes(x.shape, y.shape, minimum_px=SIDE_PX)
    by_pair = np.empty((len(x), 4))
    signal, error = np.empty(x.shape[:2]), np.empty(x.shape[:2])

    def work(start: int, stop: int) -> None:
        for i in range(start, stop):
            a, b = np.ascontiguousarray(x[i]), np.ascontiguousarray(y[i])
            by_pair[i] = ssim_of_pair(a, b), _fsim(a, b), sam_of_pair(a, b), uiq_of_pair(a, b)
            # Squares of 8-bit differences are within int32; their sums are taken in int64.
            error[i] = np.square(a.astype(np.int32) - b).sum(axis=(1, 2), dtype=np.int64) / a[0].size
            signal[i] = a.mean(axis=(1, 2), dtype=np.float64)

    in_threads(work, cut_evenly(len(x), usable_cores()))
    ssim, by_fsim, sam, uiq = by_pair.T
    return {"ssim": ssim, "fsim": by_fsim, "sam": sam, "uiq": uiq, **_from_errors(signal, error)}


def _from_errors(signal: Floats, error: Floats) -> dict[str, Any]:
    """Return RMSE, PSNR and SRE from each band's mean of x and mean square error, (N, C)."""
    same = (error == 0).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        psnr = 10 * np.log10(PEAK**2 / error.mean(axis=1))
        ratio = np.where(signal > 0, np.square(signal) / error, 0.0).mean(axis=1)
        sre = np.where(same, np.inf, 10 * np.log10(ratio))
    return {"rmse": (np.sqrt(error) / PEAK).mean(axis=1), "psnr": psnr, "sre": sre, "identical": same}


def _fsim(x: Images, y: Images) -> float:
    if is_averaged_down(*x.shape[1:]):
        a, b = (torch.from_numpy(image[None].astype(np.float64)) for image in (x, y))
        return float(fsim(a, b))
    return fsim_of_pair(x, y)
