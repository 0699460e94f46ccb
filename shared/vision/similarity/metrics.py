"""The similarity metrics of a batch of pairs: SSIM, RMSE, PSNR, FSIM, SRE, SAM and UIQ.

Rules, in order:

1. x is the training image and y the generation. Only SRE depends on the order.
2. Preset "literature" follows the papers. Preset "muller2020" reproduces image-similarity-measures 0.3.6 in SSIM, RMSE, PSNR,
   SRE, SAM (float images) and UIQ. Its FSIM is not reproduced; the literature's stands in its place.
3. Values are 0..255. 8-bit images in the processor's memory are measured by the compiled form of the literature's metrics,
   pair by pair over all cores. Other images are made float64 first.
4. A row can be written as JSON: a value that is not finite becomes null and is named under `not_finite`. Equal images say so
   under `identical`.
5. Nothing is resized: the caller decides on the view.

Source: Müller, Ekhtiari, Almeida, Rieke, "Super-Resolution of Multispectral Satellite Images Using Convolutional Neural
Networks", ISPRS Annals V-1, 2020 (the choice of metrics).
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from shared.errors import InputError
from shared.vision.similarity.eight_bit_metrics import measure_eight_bit
from shared.vision.similarity.fsim import fsim
from shared.vision.similarity.image_pairs import float64_pair, identical
from shared.vision.similarity.muller2020 import (
    package_psnr,
    package_rmse,
    package_sam,
    package_sre,
    package_uiq,
)
from shared.vision.similarity.psnr import psnr
from shared.vision.similarity.rmse import rmse
from shared.vision.similarity.sam import sam
from shared.vision.similarity.sre import sre
from shared.vision.similarity.ssim import ssim
from shared.vision.similarity.uiq import uiq

Preset = Literal["literature", "muller2020"]
Images = torch.Tensor | npt.NDArray[np.uint8] | npt.NDArray[np.floating[Any]]
METRICS = ("ssim", "rmse", "psnr", "fsim", "sre", "sam", "uiq")
UNITS = {"rmse": "share of 255", "psnr": "dB", "sre": "dB", "sam": "degrees"}

_MEASURES = {
    "literature": {
        "ssim": ssim,
        "rmse": rmse,
        "psnr": psnr,
        "fsim": fsim,
        "sre": sre,
        "sam": sam,
        "uiq": uiq,
    },
    "muller2020": {
        "ssim": ssim,
        "rmse": package_rmse,
        "psnr": package_psnr,
        "fsim": fsim,
        "sre": package_sre,
        "sam": package_sam,
        "uiq": package_uiq,
    },
}


@dataclass(frozen=True)
class SimilarityMetrics:
    """The seven metrics of N pairs.

    Attributes:
        ssim, fsim, uiq: float64 arrays (N,), no unit, 1 for equal images.
        rmse: float64 array (N,), share of 255.
        psnr, sre: float64 arrays (N,), dB, +inf for equal images.
        sam: float64 array (N,), degrees.
        identical: bool array (N,), all pixels equal.
        preset: whose definitions were used.
    """

    ssim: npt.NDArray[np.float64]
    rmse: npt.NDArray[np.float64]
    psnr: npt.NDArray[np.float64]
    fsim: npt.NDArray[np.float64]
    sre: npt.NDArray[np.float64]
    sam: npt.NDArray[np.float64]
    uiq: npt.NDArray[np.float64]
    identical: npt.NDArray[np.bool_]
    preset: Preset

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.identical)

    def row(self, i: int) -> dict[str, Any]:
        """Return pair i as a dict that JSON can carry.

        Args:
            i: index of the pair.

        Returns:
            The seven metrics as floats or None, `identical`, and `not_finite`: for each None, "inf", "-inf"
            or "nan".
        """
        values = {name: float(getattr(self, name)[i]) for name in METRICS}
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
        not_finite = {name: str(value) for name, value in values.items() if finite[name] is None}
        return {**finite, "identical": bool(self.identical[i]), "not_finite": not_finite}


def measure_similarity(x: Images, y: Images, preset: Preset = "literature") -> SimilarityMetrics:
    """Measure all seven metrics of each pair.

    Args:
        x: training images, tensor or array (N, C, H, W), C 1 or 3, float over 0..255 or uint8.
        y: generations, the same shape.
        preset: "literature", or "muller2020" (rule 2).

    Returns:
        The metrics of N pairs.

    Raises:
        InputError: unequal shapes, a side shorter than 8 px (UIQ's window), not images, or an unknown preset.

    >>> white = torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)
    >>> measure_similarity(white, white).row(0)["psnr"], measure_similarity(white, white).row(0)["identical"]
    (None, True)
    """
    if preset not in _MEASURES:
        raise InputError(f"preset: expected one of {sorted(_MEASURES)}, got {preset!r}", code="unknown_preset")
    if preset == "literature" and (arrays := _eight_bit(x, y)):
        return SimilarityMetrics(**measure_eight_bit(*arrays), preset=preset)
    a, b = float64_pair(_floats(x), _floats(y))
    results = {name: metric(a, b).cpu().numpy() for name, metric in _MEASURES[preset].items()}
    return SimilarityMetrics(**results, identical=identical(a, b).cpu().numpy(), preset=preset)


def _eight_bit(x: Images, y: Images) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]] | None:
    """Return both as arrays where both are 8-bit images in this machine's memory."""
    first, second = (
        images.numpy() if isinstance(images, torch.Tensor) and images.device.type == "cpu" else images for images in (x, y)
    )
    if not isinstance(first, np.ndarray) or not isinstance(second, np.ndarray):
        return None
    if first.dtype != np.uint8 or second.dtype != np.uint8:
        return None
    return first.astype(np.uint8, copy=False), second.astype(np.uint8, copy=False)


def _floats(images: Images) -> torch.Tensor:
    # An array may be a read-only map of a view store, which torch does not take: it is copied once, here.
    tensor = torch.from_numpy(np.array(images)) if isinstance(images, np.ndarray) else images
    return tensor.double() if tensor.dtype == torch.uint8 else tensor


def compare_arrays(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8], *, preset: Preset = "literature") -> dict[str, Any]:
    """Measure one pair of pictures held as 8-bit arrays.

    Args:
        a: training image, uint8 (H, W, C) or (H, W), C 1 or 3.
        b: generation, uint8, the same shape.
        preset: "literature" or "muller2020".

    Returns:
        `SimilarityMetrics.row` of the pair.

    Raises:
        InputError: not uint8, unequal shapes, not an image, or a side shorter than 8 px.

    >>> compare_arrays(np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 51, np.uint8))["sam"]
    90.0
    """
    return measure_similarity(_batch_of_one(a, "a"), _batch_of_one(b, "b"), preset).row(0)


def _batch_of_one(image: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.uint8]:
    if image.dtype != np.uint8 or image.ndim not in {2, 3}:
        raise InputError(
            f"{name}: expected uint8 (H, W) or (H, W, C), got {image.dtype} {image.shape}",
            code="bad_image_shape",
        )
    bands_last = image if image.ndim == 3 else image[..., np.newaxis]
    return bands_last.transpose(2, 0, 1)[np.newaxis]
