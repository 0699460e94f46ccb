"""Pictures for the similarity tests: cuts of scikit-image's photographs, and what an image goes through."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data


def photograph(name: str, side_px: int = 48, top_px: int = 96, left_px: int = 120) -> NDArray[np.uint8]:
    """Cut a square out of a photograph, uint8 (H, W, 3) or (H, W, 1)."""
    picture = np.atleast_3d(getattr(data, name)())
    return np.ascontiguousarray(picture[top_px : top_px + side_px, left_px : left_px + side_px])


def noisy(picture: NDArray[np.uint8], deviation: float, seed: int = 0) -> NDArray[np.uint8]:
    """Add Gaussian noise."""
    noise = np.random.default_rng(seed).normal(0, deviation, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def blurred(picture: NDArray[np.uint8], sigma_px: float) -> NDArray[np.uint8]:
    """Blur each band."""
    return np.asarray(ndimage.gaussian_filter(picture, (sigma_px, sigma_px, 0)))


def batch(*pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Stack (H, W, C) pictures as a float64 batch (N, C, H, W)."""
    return torch.from_numpy(np.stack([picture.transpose(2, 0, 1) for picture in pictures])).double()


def varied_pairs() -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Pair pictures with changed copies and with other pictures, colour and grey, 48 px."""
    astronaut, coffee, camera = photograph("astronaut"), photograph("coffee"), photograph("camera")
    white = np.full_like(coffee, 255)
    return [
        (astronaut, noisy(astronaut, 12)),
        (astronaut, coffee),
        (coffee, blurred(coffee, 1.2)),
        (coffee, white),
        (coffee, (coffee * 0.6).astype(np.uint8)),
        (camera, noisy(camera, 30)),
        (camera, np.roll(camera, 2, axis=1)),
    ]


def bands(*values: float) -> torch.Tensor:
    """Make one image of flat bands, float64 (1, C, 8, 8)."""
    return torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1).expand(1, -1, 8, 8).contiguous()
