"""Practice copies: the map that comes with each says where a position of the picture lies."""

import numpy as np
from PIL import Image

from tests.campaigns.practice_copies import build_practice_copy


def test_the_map_leads_to_where_the_picture_is_shown() -> None:
    """A white dot on grey: where it is still to be seen, it lies where the map says."""
    rng, seen, where = np.random.default_rng(3), 0, (130.5, 80.5)
    picture = Image.new("RGB", (240, 160), (60, 60, 60))
    picture.paste((255, 255, 255), (125, 75, 136, 86))
    for _ in range(60):
        copy, placement = build_practice_copy(picture, Image.new("RGB", (100, 100), (60, 60, 60)), rng)
        x, y = placement[:, :2] @ where + placement[:, 2]
        if not (5 < x < copy.width - 5 and 5 < y < copy.height - 5):
            continue
        luma = np.asarray(copy.convert("L"), np.float64)
        bright = luma - luma.min() > 0.85 * (luma.max() - luma.min())
        lines, columns = np.nonzero(bright)
        if np.ptp(luma) > 60 and len(lines) < 0.05 * luma.size:  # no cover, and the dot not lost to blur and grain
            size = np.sqrt(abs(np.linalg.det(placement[:, :2])))
            assert np.hypot(np.median(columns) + 0.5 - x, np.median(lines) + 0.5 - y) < 2 + 3 * size
            seen += 1
    assert seen > 15
