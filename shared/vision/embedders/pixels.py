"""The pixel embedder: SSIM's own terms, taken over a small picture, as a unit vector. No weights, no download.

SSIM multiplies, window by window, how alike two pictures are in brightness and in structure, and a window that is flat
in both counts as alike. The inner product of two vectors adds up the same three things, in this order:

1. structure: luma less its local mean, divided by its local spread, n × n;
2. flatness: 1 where a window has no spread, towards 0 where it has much, n/2 × n/2;
3. colour: mean red, green and blue, n/2 × n/2.

The picture is the centred square, as in the canonical view. Every picture has a direction, a picture of one colour too: it
is flat everywhere. Measured beside other designs in docs/results/recall.md; chosen in docs/adr/0008.

Source of the terms: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.ndimage import uniform_filter

from shared.canonical import sha256_hex
from shared.errors import InputError

# Side of the local window in pixels of the small picture. Of 3, 5 and 7 at n = 16: 3 was better on emoji, worse on tiles and
# on all sets together; 5 is SSIM's 7 px of a picture of about 22 px.
WINDOW_PX = 5
# Half of SSIM's constant (K2 · peak)², K2 0.03 (Wang et al. 2004): with the two spreads equal, the product of structures
# plus the product of flatness is then exactly SSIM's second factor.
STABLE = (0.03 * 255) ** 2 / 2
# Weight of colour against structure and flatness (each 1). Of 0.7, 1 and 2, 0.7 found most; 2 lost up to a
# tenth of the best matches at k = 10.
COLOUR_WEIGHT = 0.7
# Luma of RGB: ITU-R BT.601.
LUMA = np.array([0.299, 0.587, 0.114])
# Middle of 0..255, so that dark and bright point in opposite directions.
MIDDLE = 128.0
# Below, the window covers the picture; above, the vectors are longer than what they describe.
SMALLEST_PX, LARGEST_PX = 8, 64


class PixelEmbedder:
    """Embeds by an n × n picture.

    Args:
        side_px: n, even, 8..64.

    Raises:
        InputError: another n.
    """

    def __init__(self, side_px: int) -> None:
        if side_px % 2 or not SMALLEST_PX <= side_px <= LARGEST_PX:
            raise InputError(
                f"expected pixels:<n> with an even n of {SMALLEST_PX}..{LARGEST_PX}, got pixels:{side_px}",
                code="embedder_unknown",
            )
        self.side_px = side_px
        self.name = f"pixels:{side_px} v2"
        self.dimensions = 2 * side_px * side_px
        # No weights: the map is this code; the number grows when the same picture would give another vector.
        self.sha256 = sha256_hex(f"sleeve pixel embedder 2, side {side_px}".encode())

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Make the small picture of an upright RGB image, uint8 (n, n, 3)."""
        return np.asarray(ImageOps.fit(image, (self.side_px, self.side_px), Image.Resampling.BOX))

    def embed_prepared(self, prepared: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed small pictures; returns float32 (N, 2·n²), rows of length 1."""
        if not prepared:
            return np.empty((0, self.dimensions), dtype=np.float32)
        small = np.stack(prepared).astype(np.float64)
        structure, flatness = _structure_and_flatness(small @ LUMA)
        colour = COLOUR_WEIGHT * (_halve(small) - MIDDLE) / MIDDLE
        # Means, not sums: a part's weight does not depend on how many numbers it has.
        parts = [part.reshape(len(small), -1) / np.sqrt(part[0].size) for part in (structure, _halve(flatness), colour)]
        rows = np.concatenate(parts, axis=1)
        unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed images.

        Args:
            images: upright RGB, any size.

        Returns:
            float32, shape (N, 2·n²), rows of length 1.
        """
        return self.embed_prepared([self.prepare(image) for image in images])


def open_embedder(argument: str) -> PixelEmbedder:
    """Open the embedder of a setting `pixels:<n>`.

    Raises:
        InputError: n is not an even whole number of 8..64.
    """
    if not argument.isdecimal():
        raise InputError(f"expected pixels:<n> with a whole number n, got pixels:{argument}", code="embedder_unknown")
    return PixelEmbedder(int(argument))


def _structure_and_flatness(luma: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both terms of pictures (N, n, n), 0..255."""
    window = (0, WINDOW_PX, WINDOW_PX)
    mean = uniform_filter(luma, window, mode="reflect")
    variance = np.maximum(uniform_filter(luma * luma, window, mode="reflect") - mean * mean, 0)
    spread = np.sqrt(variance + STABLE)
    return (luma - mean) / spread, np.sqrt(STABLE) / spread


def _halve(pictures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average 2 × 2 pixels of pictures (N, n, n, ...)."""
    count, side, _, *rest = pictures.shape
    halved: NDArray[np.float64] = pictures.reshape(count, side // 2, 2, side // 2, 2, *rest).mean(axis=(2, 4))
    return halved
