"""Alignment: a known placement is found again, also under an overlay and another exposure; limits hold."""

import numpy as np
import pytest

from shared.matching.copy_detection.alignment import LEAST_ZOOM, MOST_SHIFT_PX, align
from shared.matching.copy_detection.indexed_views import warp_views
from shared.matching.copy_detection.luma import fill_pyramid
from tests.unit.shared.matching.copy_detection.drawings import draw


def pyramid(view: np.ndarray, *, mirrored: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    fine, middle, coarse = (np.empty((side, side), np.float32) for side in (64, 32, 16))
    fill_pyramid(view, mirrored, fine, middle, coarse)
    return fine, middle, coarse


def place(generation: np.ndarray, item: np.ndarray) -> np.ndarray:
    placement = np.array([1.0, 0, 0, 0, 1, 0])
    align(*pyramid(generation)[1:], *pyramid(item)[1:], placement)
    return placement


KNOWN = [(1.0, 0, 0, 0), (0.9, 0, 2, -2), (np.cos(0.1), np.sin(0.1), 0, 0), (0.95, -0.05, 1, 1)]


@pytest.mark.parametrize("known", KNOWN)
def test_a_known_placement_is_found(known: tuple[float, ...]) -> None:
    item = draw(1, seed=3)
    placement = place(warp_views(item, np.array(known))[0], item[0])
    assert np.abs(placement[:2] - known[:2]).max() < 0.02
    assert np.abs(placement[2:4] - known[2:]).max() < 0.4


def test_an_overlay_does_not_pull_and_exposure_is_estimated() -> None:
    item = draw(1, seed=4)
    generation = (warp_views(item, np.array([0.95, 0, 1, 0]))[0] * 0.7).astype(np.uint8)
    generation[:, 40:60, 30:60] = 10
    placement = place(generation, item[0])
    assert np.abs(placement[:4] - [0.95, 0, 1, 0]).max() < 0.5
    assert placement[4] == pytest.approx(0.7, abs=0.1)


def test_unrelated_pictures_stay_within_the_limits() -> None:
    pictures = draw(20, seed=5)
    for generation, item in zip(pictures[:10], pictures[10:], strict=True):
        placement = place(generation, item)
        assert np.isfinite(placement).all()
        assert np.hypot(*placement[:2]) >= LEAST_ZOOM * 0.95
        assert np.abs(placement[2:4]).max() <= MOST_SHIFT_PX


def test_pictures_without_content_stay_where_they_were() -> None:
    white = np.full((3, 64, 64), 255, np.uint8)
    assert np.abs(place(white, white) - [1, 0, 0, 0, 1, 0]).max() < 1e-3


def test_a_mirrored_pyramid_is_that_of_the_mirrored_view() -> None:
    view = draw(1, seed=6)[0]
    for mirrored, flipped in zip(pyramid(view, mirrored=True), pyramid(np.ascontiguousarray(view[..., ::-1])), strict=True):
        assert np.array_equal(mirrored, flipped)
