"""The smoothed luma pyramid of a view, 64, 32 and 16 px, which alignment and window sums work on.

Rules, in order:

1. Luma is that of ITU-R BT.601, 0..255.
2. Every level is smoothed by the binomial 1 4 6 4 1 before it is halved: grain, JPEG blocks and resampling leave less of a
   trace than the drawing does.
3. A view is read in one of eight orientations (`orientations`).
"""

import numpy as np
from numpy.typing import NDArray

from shared.compute.compiling import compiled_approximately
from shared.matching.copy_detection.orientations import find_source

# The canonical view of the gate's 64 px models; other sizes are brought to it by the view recipe.
SIDE_PX = 64
RED, GREEN, BLUE = np.float32(0.299), np.float32(0.587), np.float32(0.114)
_SIXTEENTH, _QUARTER = np.float32(1 / 16), np.float32(1 / 4)

Floats = NDArray[np.float32]


@compiled_approximately
def _smooth(image: Floats, out: Floats, across: Floats) -> None:
    """Smooth a square image along both axes; beyond the border it goes on as it ends."""
    side = image.shape[0]
    for y in range(side):
        for x in range(side):
            outer = image[y, max(x - 2, 0)] + image[y, min(x + 2, side - 1)]
            inner = image[y, max(x - 1, 0)] + image[y, min(x + 1, side - 1)]
            across[y, x] = (outer + np.float32(4) * inner + np.float32(6) * image[y, x]) * _SIXTEENTH
    for y in range(side):
        up2, up1, down1, down2 = max(y - 2, 0), max(y - 1, 0), min(y + 1, side - 1), min(y + 2, side - 1)
        for x in range(side):
            outer = across[up2, x] + across[down2, x]
            inner = across[up1, x] + across[down1, x]
            out[y, x] = (outer + np.float32(4) * inner + np.float32(6) * across[y, x]) * _SIXTEENTH


@compiled_approximately
def _halve(image: Floats, out: Floats) -> None:
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            top = image[2 * y, 2 * x] + image[2 * y, 2 * x + 1]
            out[y, x] = (top + image[2 * y + 1, 2 * x] + image[2 * y + 1, 2 * x + 1]) * _QUARTER


@compiled_approximately
def fill_pyramid(view: NDArray[np.uint8], orientation: int, whole: Floats, half: Floats, quarter: Floats) -> None:
    """Fill the three levels of one view.

    Args:
        view: uint8 (3, 64, 64).
        orientation: in which it is read, 0..7.
        whole: float32 (64, 64), written.
        half: float32 (32, 32), written.
        quarter: float32 (16, 16), written.
    """
    luma, spare = np.empty((64, 64), np.float32), np.empty((64, 64), np.float32)
    for y in range(64):
        for x in range(64):
            line, at = find_source(orientation, 64, y, x)
            red, green, blue = np.float32(view[0, line, at]), np.float32(view[1, line, at]), np.float32(view[2, line, at])
            luma[y, x] = RED * red + GREEN * green + BLUE * blue
    _smooth(luma, whole, spare)
    _halve(whole, half)
    smoothed = np.empty((32, 32), np.float32)
    _smooth(half, smoothed, spare)
    _halve(smoothed, quarter)
