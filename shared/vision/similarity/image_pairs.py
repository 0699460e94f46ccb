"""What every similarity metric accepts: two equal batches of float images.

Rules, in order:

1. A batch is a torch tensor of shape (N, C, H, W), C 1 (grey) or 3 (RGB), float32 or float64, values 0..255.
   Integer tensors are refused: 8-bit arithmetic wraps, which is how a spectral angle of 89.9° between equal
   images arises.
2. Both batches have the same shape; nothing is broadcast, cropped or resized.
3. Each side is at least as long as the metric's window.
4. The arithmetic is float64 whatever the float type that comes in; sums of 8-bit values are then exact.
"""

import torch

from shared.errors import InputError
from shared.vision.similarity.ssim_constants import PEAK


def verify_batch(images: torch.Tensor, name: str) -> None:
    """Refuse what is not a batch of float images.

    Args:
        images: any tensor.
        name: what the message calls it.

    Raises:
        InputError: another shape, channel count, dtype, or a value outside 0..255 (NaN included).
    """
    _verify_shape(tuple(images.shape), name)
    if images.dtype not in {torch.float32, torch.float64}:
        raise InputError(f"{name}: expected float32 or float64 in 0..255, got {images.dtype}", code="bad_image_dtype")
    if images.numel() == 0:
        return
    low, high = (float(bound) for bound in torch.aminmax(images))
    if not (low >= 0.0 and high <= PEAK):
        raise InputError(f"{name}: expected values in 0..255, got {low} to {high}", code="bad_image_range")


def float64_pair(x: torch.Tensor, y: torch.Tensor, *, minimum_px: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Check two batches against each other and return them as float64.

    Args:
        x: float tensor (N, C, H, W), 0..255.
        y: float tensor of the same shape, 0..255.
        minimum_px: smallest side that the metric is defined for.

    Returns:
        The same batches, float64.

    Raises:
        InputError: not a batch of float images, unequal shapes, or a side shorter than `minimum_px`.
    """
    verify_batch(x, "x")
    verify_batch(y, "y")
    verify_shapes(tuple(x.shape), tuple(y.shape), minimum_px=minimum_px)
    return x.double(), y.double()


def verify_shapes(x: tuple[int, ...], y: tuple[int, ...], *, minimum_px: int = 1) -> None:
    """Check the shapes of two batches against each other.

    Args:
        x: shape of the one, (N, C, H, W).
        y: shape of the other.
        minimum_px: smallest side that is allowed.

    Raises:
        InputError: not the shape of a batch of images, unequal shapes, or a side shorter than `minimum_px`.
    """
    _verify_shape(x, "x")
    _verify_shape(y, "y")
    if x != y:
        raise InputError(f"images must have equal shapes: expected {x} as x has, got {y}", code="unequal_shapes")
    height_px, width_px = x[-2:]
    if min(height_px, width_px) < minimum_px:
        raise InputError(
            f"expected images of at least {minimum_px} × {minimum_px} px, got {height_px} × {width_px} px",
            code="image_too_small",
        )


def _verify_shape(shape: tuple[int, ...], name: str) -> None:
    if len(shape) != 4 or shape[1] not in {1, 3}:
        raise InputError(f"{name}: expected shape (N, 1 or 3, H, W), got {shape}", code="bad_image_shape")


def identical(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Say for each pair whether all pixels are equal.

    Args:
        x: tensor (N, C, H, W).
        y: tensor (N, C, H, W).

    Returns:
        bool tensor (N,).

    >>> identical(torch.zeros(2, 1, 1, 2), torch.tensor([[[[0.0, 0.0]]], [[[0.0, 1.0]]]])).tolist()
    [True, False]
    """
    return (x == y).flatten(1).all(dim=1)
