"""The regions: the whole frame first, within the frame, each set its own mirror image."""

import numpy as np
import pytest

from shared.matching.whole_picture.regions import GENERATION_REGIONS, ITEM_REGIONS


@pytest.mark.parametrize("regions", [ITEM_REGIONS, GENERATION_REGIONS], ids=["item", "generation"])
def test_regions_cover_the_frame_and_are_their_own_mirror_image(regions: np.ndarray) -> None:
    assert regions[0].tolist() == [0, 0, 1, 1]
    assert regions.min() >= 0
    assert regions.max() <= 1 + 1e-9
    mirrored = np.column_stack([1 - regions[:, 2], regions[:, 1], 1 - regions[:, 0], regions[:, 3]])
    assert {tuple(row) for row in mirrored.round(6) + 0.0} == {tuple(row) for row in regions.round(6) + 0.0}


def test_a_part_of_half_the_side_is_most_of_a_region() -> None:
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 0.5, (200, 2))
    low, high = (
        np.maximum(starts[:, None], GENERATION_REGIONS[None, :, :2]),
        np.minimum(starts[:, None] + 0.5, GENERATION_REGIONS[None, :, 2:]),
    )
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = np.prod(GENERATION_REGIONS[:, 2:] - GENERATION_REGIONS[:, :2], axis=1)
    overlap = (shared / (areas + 0.25 - shared)).max(axis=1)
    assert overlap.min() > 0.4
    assert overlap.mean() > 0.55
