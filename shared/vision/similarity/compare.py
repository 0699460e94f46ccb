"""The suite for one pair of pictures held as 8-bit arrays.

Rules, in order:

1. Both arrays are uint8, of equal size: (H, W, 3), (H, W, 1) or (H, W). Nothing is resized: the caller
   decides on the view.
2. The first is the training image.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from shared.errors import InputError
from shared.vision.similarity.suite import Preset, measure


def compare_arrays(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8], *, preset: Preset = "literature") -> dict[str, Any]:
    """Measure the suite of one pair.

    Args:
        a: training image, uint8 (H, W, C) or (H, W), C 1 or 3.
        b: generation, uint8, the same shape.
        preset: "literature" or "muller2020".

    Returns:
        `Suite.row` of the pair.

    Raises:
        InputError: not uint8, unequal shapes, not an image, or a side shorter than 8 px.

    >>> compare_arrays(np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 51, np.uint8))["sam"]
    90.0
    """
    return measure(_batch_of_one(a, "a"), _batch_of_one(b, "b"), preset).row(0)


def _batch_of_one(image: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.uint8]:
    if image.dtype != np.uint8 or image.ndim not in {2, 3}:
        raise InputError(
            f"{name}: expected uint8 (H, W) or (H, W, C), got {image.dtype} {image.shape}",
            code="bad_image_shape",
        )
    bands_last = image if image.ndim == 3 else image[..., np.newaxis]
    return bands_last.transpose(2, 0, 1)[np.newaxis]
