"""The pixel embedder: a small colour picture, mean-centred, as a unit vector. No weights, no download.

The cosine of two such vectors is the correlation of the two small pictures: blind to brightness and contrast, sensitive
to composition. A picture of one colour has no direction of its own; all of them get the same one, orthogonal to the rest.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.canonical import sha256_hex
from shared.errors import InputError

# Below this spread (standard deviation in grey levels, 0..255) a small picture counts as flat: rounding, not content.
FLAT_LEVELS = 0.5


class PixelEmbedder:
    """Embeds by an n × n colour thumbnail.

    Args:
        side_px: n, 2..64.
    """

    def __init__(self, side_px: int) -> None:
        self.side_px = side_px
        self.name = f"pixels:{side_px}"
        self.dimensions = 3 * side_px * side_px
        # No weights: the map is this code; the number grows when the same picture would give another vector.
        self.sha256 = sha256_hex(f"sleeve pixel embedder 1, side {side_px}".encode())

    @classmethod
    def from_spec(cls, side: str) -> Self:
        """Open by the text after `pixels:`.

        Raises:
            InputError: it is not a whole number of 2..64.
        """
        if not side.isdecimal() or not 2 <= int(side) <= 64:
            raise InputError(f"expected pixels:<n> with n of 2..64, got pixels:{side}", code="embedder_unknown")
        return cls(int(side))

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed images.

        Args:
            images: upright RGB, any size.

        Returns:
            float32, shape (N, 3·n²), rows of length 1.
        """
        rows = np.empty((len(images), self.dimensions), dtype=np.float32)
        for row, image in zip(rows, images, strict=True):
            small = image.resize((self.side_px, self.side_px), Image.Resampling.BOX)
            row[:] = np.asarray(small, dtype=np.float32).reshape(-1)
        return _unit_rows(rows)


def _unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = rows - rows.mean(axis=1, keepdims=True)
    flat = centred.std(axis=1) < FLAT_LEVELS
    centred[flat] = 1.0
    unit: NDArray[np.float32] = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return unit
