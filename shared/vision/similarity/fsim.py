"""FSIM: feature similarity, from phase congruency and gradient on the luminance.

Rules, in order:

1. Images are averaged down until the shorter side is about 256 px, then split into luminance and chrominance
   (YIQ).
2. Similarity of congruency times similarity of gradient, at each pixel, weighted by the larger congruency.
3. The chromatic form multiplies with the similarity of both chrominances, to the power 0.03.
4. Grey images are their own luminance and have no chromatic form.

Source: Zhang, Zhang, Mou, Zhang, "FSIM: A Feature Similarity Index for Image Quality Assessment", IEEE TIP
20(8), 2011, and the authors' FeatureSIM.m.
"""

import torch
from torch.nn import functional

from shared.errors import InputError
from shared.vision.similarity.image_pairs import float64_pair
from shared.vision.similarity.phase_congruency import phase_congruency

# Zhang et al. 2011: steadying constants of congruency, gradient and chrominance.
T1 = 0.85
T2 = 160.0
T3 = T4 = 200.0
# Zhang et al. 2011: weight of chrominance.
CHROMA_POWER = 0.03
# FeatureSIM.m: shorter side after averaging down.
VIEWING_SIDE_PX = 256
# ITU-R BT.470 (NTSC), as rounded in FeatureSIM.m and piq: RGB to YIQ, one row a component.
YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
# Zhang et al. 2011: Scharr's operator, each 3 × 3 kernel divided by 16.
SCHARR = ((-3.0, 0.0, 3.0), (-10.0, 0.0, 10.0), (-3.0, 0.0, 3.0))
# Pairs are taken in groups of so many pixels: measured fastest where a group's 16 complex responses a pixel
# (4 MB for both sides) stay in a core's cache; 64 px pairs took 1.6 times as long in groups sixteen times
# larger.
GROUP_PX = 1 << 13


def fsim(x: torch.Tensor, y: torch.Tensor, *, chromatic: bool = False) -> torch.Tensor:
    """Measure feature similarity; 1 for equal images, symmetric.

    Args:
        x: float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: the same shape, 0..255.
        chromatic: also compare chrominance (FSIMc); needs C = 3.

    Returns:
        float64 tensor (N,), range 0..1, no unit.

    Raises:
        InputError: unequal shapes, not float images, a side shorter than 2 px, or the chromatic form of grey
        images.

    Source: Zhang et al. 2011.
    """
    x, y = float64_pair(x, y, minimum_px=2)
    if chromatic and x.shape[1] != 3:
        raise InputError(f"the chromatic form expects 3 channels, got {x.shape[1]}", code="bad_image_shape")
    group = max(1, GROUP_PX // (x.shape[2] * x.shape[3]))
    parts = [_group_fsim(a, b, chromatic) for a, b in zip(torch.split(x, group), torch.split(y, group), strict=True) if len(a)]
    return torch.cat(parts) if parts else x.new_empty(0)


def _group_fsim(x: torch.Tensor, y: torch.Tensor, chromatic: bool) -> torch.Tensor:
    both = _components(torch.cat([x, y]))
    congruency_x, congruency_y = phase_congruency(both[:, :1]).chunk(2)
    gradient_x, gradient_y = _gradient(both[:, :1]).chunk(2)
    score = _agreement(congruency_x, congruency_y, T1) * _agreement(gradient_x, gradient_y, T2)
    if chromatic:
        i_x, i_y = both[:, 1:2].chunk(2)
        q_x, q_y = both[:, 2:].chunk(2)
        chroma = _agreement(i_x, i_y, T3) * _agreement(q_x, q_y, T4)
        # Chrominance is signed, so the product may be negative; its size counts, as in piq.
        score = score * chroma.abs() ** CHROMA_POWER
    weight = torch.maximum(congruency_x, congruency_y)
    return (score * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3))


def _components(images: torch.Tensor) -> torch.Tensor:
    side = max(1, round(min(images.shape[-2:]) / VIEWING_SIDE_PX))
    images = functional.avg_pool2d(images, side)
    if images.shape[1] == 1:
        return images
    return torch.einsum("kc,nchw->nkhw", images.new_tensor(YIQ), images)


def _gradient(luminance: torch.Tensor) -> torch.Tensor:
    kernel = luminance.new_tensor(SCHARR) / 16
    slopes = functional.conv2d(luminance, torch.stack([kernel, kernel.T]).unsqueeze(1), padding=1)
    return slopes.square().sum(dim=1, keepdim=True).sqrt()


def _agreement(x: torch.Tensor, y: torch.Tensor, steady: float) -> torch.Tensor:
    return (2 * x * y + steady) / (x * x + y * y + steady)
