"""SRE: signal-to-reconstruction-error ratio in decibels.

Rules, in order:

1. x is the signal (the training image), y the reconstruction (the generation): the measure is not symmetric.
2. Within a band, the ratio is mean(x)² over the mean square error; ratios are averaged over bands, then made
   decibels.
3. A band of x that is all zero carries no signal: its ratio is 0, whatever y holds there.
4. Any other band without error has an infinite ratio, and so has the pair.
5. Equal images: +infinity, even all black ones. A black x against anything else: -infinity.

Source: Lanaras, Bioucas-Dias, Galliani, Baltsavias, Schindler, "Super-resolution of Sentinel-2 images:
Learning a globally applicable deep neural network", ISPRS Journal of Photogrammetry and Remote Sensing 146,
2018.
"""

import torch

from shared.vision.similarity.image_pairs import float64_pair, identical


def sre(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Measure 10 log10 of the mean over bands of mean(x)² / (‖x - y‖² / n).

    Args:
        x: training images, float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: generations, the same shape, 0..255.

    Returns:
        float64 tensor (N,), -inf..+inf, dB; +inf for equal images.

    Raises:
        InputError: unequal shapes or not float images.

    Source: Lanaras et al. 2018.

    >>> sre(torch.full((1, 1, 1, 2), 50.0), torch.full((1, 1, 1, 2), 45.0)).item()
    20.0
    """
    x, y = float64_pair(x, y)
    signal = x.mean(dim=(2, 3)).square()
    error = (x - y).square().mean(dim=(2, 3))
    ratio = torch.where(signal > 0, signal / error, 0.0).mean(dim=1)
    return torch.where(identical(x, y), torch.inf, 10 * torch.log10(ratio))
