"""Phase congruency: how well the frequencies of an image agree in phase at each pixel, whatever its contrast.

Rules, in order:

1. A bank of log-Gabor filters, 4 scales × 4 orientations, built in the frequency domain, low-passed at its
   corners.
2. Each filter gives a complex response (even + i·odd); its length is the amplitude.
3. An orientation's energy is what its responses have along their common phase, less what they have across it.
4. Noise is estimated from the median energy of the smallest scale and subtracted, never below 0.
5. Congruency is energy over amplitude, each summed over orientations; range 0..1.

Source: Kovesi, "Image Features from Phase Congruency", Videre 1(3), 1999; the constants are those of
FeatureSIM.m by Zhang et al. 2011, computed in the pixel domain.
"""

import math
from functools import lru_cache

import torch

# FeatureSIM.m, function phasecong2: all values below are its defaults.
SCALES = 4
ORIENTATIONS = 4
SHORTEST_WAVELENGTH_PX = 6.0
SCALE_STEP = 2.0
# Width of a filter in log-frequency (0.55 spans about two octaves) and between orientations.
BANDWIDTH = 0.55
ANGLE_RATIO = 1.2
# Noise threshold in standard deviations above the mean, and its empirical reduction for this measure of
# energy.
NOISE_DEVIATIONS = 2.0
NOISE_REDUCTION = 1.7
# Butterworth low-pass: cutoff in cycles per px, and order.
CUTOFF = 0.45
SHARPNESS = 15


def phase_congruency(plane: torch.Tensor) -> torch.Tensor:
    """Measure phase congruency at every pixel.

    Args:
        plane: float64 tensor (N, 1, H, W), 0..255.

    Returns:
        float64 tensor (N, 1, H, W), range 0..1.

    Source: Kovesi 1999.
    """
    height_px, width_px = plane.shape[-2:]
    bank, noise_gain = filter_bank(height_px, width_px, plane.device)
    response = torch.fft.ifft2(torch.fft.fft2(plane).unsqueeze(2) * bank)
    even, odd = response.real.contiguous(), response.imag.contiguous()
    amplitude = torch.addcmul(even.square(), odd, odd).sqrt_()
    tiny = torch.finfo(plane.dtype).eps
    # The common phase of an orientation is that of its summed response, as a vector of length 1.
    total_even, total_odd = even.sum(dim=2, keepdim=True), odd.sum(dim=2, keepdim=True)
    total_square = total_even.square() + total_odd.square()
    length = total_square.sqrt() + tiny
    across = (even * (total_odd / length)).addcmul_(odd, total_even / length, value=-1).abs_()
    energy = (total_square / length).squeeze(2) - across.sum(dim=2)
    # The smallest scale's energy is mostly noise; its median over the image is robust against real edges.
    median = amplitude[:, :, 0].flatten(2).median(dim=-1).values.square()
    threshold = torch.sqrt(median * noise_gain)[..., None, None]
    energy = (energy - threshold).clamp(min=0).sum(dim=1, keepdim=True)
    congruency: torch.Tensor = (energy + tiny) / (amplitude.sum(dim=(1, 2)).unsqueeze(1) + tiny)
    return congruency


@lru_cache(maxsize=8)
def filter_bank(height_px: int, width_px: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the filters (O, S, H, W) and, for each orientation, threshold² over the median energy (O,)."""
    radius, angle = _frequency_plane(height_px, width_px)
    low_pass = 1 / (1 + (radius / CUTOFF) ** (2 * SHARPNESS))
    radius[0, 0] = 1.0  # keeps the logarithm finite; the filters are 0 there
    wavelengths = [SHORTEST_WAVELENGTH_PX * SCALE_STEP**scale for scale in range(SCALES)]
    radial = torch.stack([torch.exp(-((radius * px).log() ** 2) / (2 * math.log(BANDWIDTH) ** 2)) for px in wavelengths])
    radial = radial * low_pass
    radial[:, 0, 0] = 0.0
    deviation = math.pi / ORIENTATIONS / ANGLE_RATIO
    turns = torch.arange(ORIENTATIONS, dtype=torch.float64).view(-1, 1, 1) * math.pi / ORIENTATIONS
    distance = torch.atan2(torch.sin(angle - turns), torch.cos(angle - turns)).abs()
    angular = torch.exp(-(distance**2) / (2 * deviation**2))
    bank = angular.unsqueeze(1) * radial
    return bank.to(device), _noise_gain(bank).to(device)


def _frequency_plane(height_px: int, width_px: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return radius (cycles per px) and angle (radians) of each frequency, the constant one first."""
    down = _frequencies(height_px).view(-1, 1).expand(height_px, width_px)
    across = _frequencies(width_px).view(1, -1).expand(height_px, width_px)
    return torch.sqrt(down**2 + across**2), torch.atan2(-across, down)


def _frequencies(length_px: int) -> torch.Tensor:
    # FeatureSIM.m: odd lengths are spread over ±0.5, both ends included, even ones as by the transform.
    steps = torch.arange(length_px, dtype=torch.float64) - length_px // 2
    frequencies: torch.Tensor = torch.fft.ifftshift(steps / (length_px - length_px % 2 or 1))
    return frequencies


def _noise_gain(bank: torch.Tensor) -> torch.Tensor:
    # Kovesi 1999: noise energy is Rayleigh distributed. Its scale follows from the power of the smallest
    # filter's noise (median of the squared response / ln 2) and the energy of all filters of the orientation
    # added up.
    smallest = bank[:, 0].square().sum(dim=(1, 2))
    height_px, width_px = bank.shape[-2:]
    spatial = torch.fft.ifft2(bank).real.sum(dim=1) * math.sqrt(height_px * width_px)
    rayleigh_square: torch.Tensor = spatial.square().sum(dim=(1, 2)) / (math.log(2) * smallest)
    mean_and_spread = math.sqrt(math.pi / 2) + NOISE_DEVIATIONS * math.sqrt(2 - math.pi / 2)
    return rayleigh_square * (mean_and_spread / NOISE_REDUCTION) ** 2
