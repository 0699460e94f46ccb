"""The metrics as the package image-similarity-measures 0.3.6 computes them, for comparison with tables made with it.

Rules, in order:

1. Each function here departs from the definition in its own module, as the package does; docs/methods/similarity.md says why.
2. RMSE and PSNR are summed in float32, pixel after pixel, as NumPy does for the package. On light images RMSE is up to 5e-6
   off, PSNR up to 2e-4 dB.
3. SRE divides by the norm of the error, not by its square.
4. SAM is computed in float32. One black pixel in either image makes the mean undefined, which the package reports as 0°.
5. UIQ counts a pair of flat windows as 0.
6. SSIM agrees with its definition and is not repeated. FSIM is not reproduced.

Source: image-similarity-measures 0.3.6, quality_metrics.py, with 255 as the largest value and float images.
"""

import numpy as np
import numpy.typing as npt
import torch

from shared.vision.similarity.image_pairs import float64_pair
from shared.vision.similarity.ssim_constants import PEAK
from shared.vision.similarity.uiq import FLAT, SIDE_PX, window_statistics


def package_rmse(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Measure RMSE with the package's float32 sums.

    Args:
        x: float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: the same shape, 0..255.

    Returns:
        float64 tensor (N,), range 0..1, share of full scale.

    Raises:
        InputError: unequal shapes or not float images.
    """
    bands = _float32_band_means(x, y, np.float32(PEAK))
    return torch.tensor([float(np.sqrt(band).mean()) for band in bands], dtype=torch.float64)


def package_psnr(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Measure PSNR with the package's float32 sums.

    Args:
        x: float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: the same shape, 0..255.

    Returns:
        float64 tensor (N,), dB; +inf for equal images.

    Raises:
        InputError: unequal shapes or not float images.
    """
    bands = _float32_band_means(x, y, np.float32(1))
    errors = torch.tensor([float(band.mean()) for band in bands], dtype=torch.float64)
    return 20 * torch.log10(PEAK / errors.sqrt())


def package_sre(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Measure 10 log10 of the mean over bands of mean(x)² / (‖x - y‖ / n).

    Args:
        x: training images, float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: generations, the same shape, 0..255.

    Returns:
        float64 tensor (N,), dB; +inf where a band has no error, NaN where such a band is black.

    Raises:
        InputError: unequal shapes or not float images.

    >>> package_sre(torch.full((1, 1, 1, 4), 50.0), torch.full((1, 1, 1, 4), 45.0)).item()
    30.0
    """
    x, y = float64_pair(x, y)
    pixels = x.shape[2] * x.shape[3]
    error = torch.linalg.vector_norm(x - y, dim=(2, 3)) / pixels
    return 10 * torch.log10((x.mean(dim=(2, 3)).square() / error).mean(dim=1))


def package_sam(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Measure the mean spectral angle in float32; 0 where a black pixel leaves it undefined.

    Args:
        x: float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: the same shape, 0..255.

    Returns:
        float64 tensor (N,), range 0..90, degrees.

    Raises:
        InputError: unequal shapes or not float images.

    >>> package_sam(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1)).item()
    0.0
    """
    first, second = (images.numpy().astype(np.float32) for images in float64_pair(x, y))
    # Near equal pictures the angle is nothing but the rounding of these sums: one band after the other, as the package's NumPy
    # adds them, and never in the fused steps that torch takes on some processors.
    product, length_x, length_y = (_sum_bands(a * b) for a, b in ((first, second), (first, first), (second, second)))
    with np.errstate(invalid="ignore"):
        cosine = np.clip(product / (np.sqrt(length_x) * np.sqrt(length_y)), -1, 1)
    angles = torch.from_numpy(np.degrees(np.arccos(cosine))).double()
    return angles.mean(dim=(1, 2)).nan_to_num(nan=0.0)


def _sum_bands(bands: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    total = bands[:, 0].copy()
    for band in range(1, bands.shape[1]):
        total += bands[:, band]
    return total


def package_uiq(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Measure UIQ with 0 for every pair of flat windows.

    Args:
        x: float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: the same shape, 0..255.

    Returns:
        float64 tensor (N,), range -1..1, no unit; below 1 for equal images with a flat window.

    Raises:
        InputError: unequal shapes, not float images, or a side shorter than 8 px.

    >>> package_uiq(torch.full((1, 1, 8, 8), 255.0), torch.full((1, 1, 8, 8), 255.0)).item()
    0.0
    """
    x, y = float64_pair(x, y, minimum_px=SIDE_PX)
    means, brightness, covariance, variance = window_statistics(x, y)
    varied = variance > FLAT * brightness
    quality = torch.where(varied, 4 * covariance * means / (variance * brightness), 0.0)
    return quality.mean(dim=(1, 2))


def _float32_band_means(x: torch.Tensor, y: torch.Tensor, scale: np.float32) -> list[npt.NDArray[np.float32]]:
    """Return each pair's mean square of (x - y) / scale per band, in float32 in the package's order."""
    x, y = float64_pair(x, y)
    # The order of the sums is part of the result: one image at a time, bands last, as the package holds them.
    differences = np.ascontiguousarray((x - y).float().permute(0, 2, 3, 1).cpu().numpy())
    return [np.square(image / scale).mean(axis=(0, 1)) for image in differences]
