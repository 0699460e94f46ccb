"""Which part of a picture was examined: where something is drawn, and neither local features nor the detector of views looked.

Rules, in order:

1. A picture is cut into cells of `CELL_PX`. Something is drawn in a cell whose luma varies by more than `_DRAWN`. Where
   nothing is drawn, nothing can be found.
2. A cell is examined if a local feature lies in it or in a cell beside it, or if it lies in the centre square, which the
   detector of views compares whole.
3. A picture whose shorter side is below `LEAST_SIDE_PX` was shrunk too far, or is a strip: its features say nothing, and only
   the centre square is examined.
4. The share is of the whole picture's area.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.matching.whole_picture.local_features import LocalFeatures

CELL_PX = 32
LEAST_SIDE_PX = 64
# Squared levels: grain and compression stay below.
_DRAWN = 60.0


def measure_unexamined(picture: NDArray[np.uint8], features: LocalFeatures) -> float:
    """Return the share of a picture's area in which something is drawn that was not examined, 0..1.

    Args:
        picture: uint8 (H, W, 3), at its comparison size.
        features: of the same picture.
    """
    height, width = picture.shape[:2]
    lines, columns = -(-height // CELL_PX), -(-width // CELL_PX)
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    seen = np.zeros((lines, columns), np.uint8)
    at = (features.points // CELL_PX).astype(int)
    if min(width, height) >= LEAST_SIDE_PX:
        seen[np.clip(at[:, 1], 0, lines - 1), np.clip(at[:, 0], 0, columns - 1)] = 1
    seen = np.asarray(cv2.dilate(seen, np.ones((3, 3), np.uint8)))
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    unexamined = 0
    for line in range(lines):
        for column in range(columns):
            x, y = column * CELL_PX, line * CELL_PX
            cell = luma[y : y + CELL_PX, x : x + CELL_PX]
            centre_x, centre_y = x + cell.shape[1] / 2, y + cell.shape[0] / 2
            is_in_square = left <= centre_x <= left + side and top <= centre_y <= top + side
            if not (seen[line, column] or is_in_square) and cell.var() > _DRAWN:
                unexamined += cell.size
    return float(unexamined / (width * height))
