"""SAM: mean spectral angle between pixels, in degrees.

Rules, in order:

1. A pixel is the vector of its bands; the angle ignores its length, so a darker copy of an image is at 0°.
2. Two zero vectors are at 0°; a zero vector and another are at 90°.
3. Angles are averaged over pixels. With values of 0 and above they lie in 0..90°.
4. Grey images have one band: the angle of a pixel is 0° or, where exactly one of the two is black, 90°.
5. The angle comes from atan2(sin, cos), exact at 0° where arccos of a rounded cosine is off by up to 0.03° in
   float32.

Source: Kruse et al., "The Spectral Image Processing System (SIPS)", Remote Sensing of Environment 44, 1993.
"""

import torch

from shared.vision.similarity.image_pairs import float64_pair


def sam(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Measure the mean spectral angle; 0 for equal images, symmetric.

    Args:
        x: float tensor (N, C, H, W), C 1 or 3, 0..255.
        y: the same shape, 0..255.

    Returns:
        float64 tensor (N,), range 0..90, degrees.

    Raises:
        InputError: unequal shapes or not float images.

    Source: Kruse et al. 1993.

    >>> grey, yellow = torch.full((1, 3, 1, 1), 40.0), torch.tensor([80.0, 80.0, 0.0]).view(1, 3, 1, 1)
    >>> sam(grey, yellow).round(decimals=4).item()
    35.2644
    """
    x, y = float64_pair(x, y)
    dot = (x * y).sum(dim=1)
    square_x, square_y = x.square().sum(dim=1), y.square().sum(dim=1)
    # Lagrange's identity: |x|²|y|² - (x·y)² is the squared length of the cross product, in any number of
    # bands.
    cross = (square_x * square_y - dot.square()).clamp(min=0).sqrt()
    degrees = torch.rad2deg(torch.atan2(cross, dot))
    one_black = (square_x == 0) != (square_y == 0)
    return torch.where(one_black, 90.0, degrees).mean(dim=(1, 2))
