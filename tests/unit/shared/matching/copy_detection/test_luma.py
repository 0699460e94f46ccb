"""The luma pyramid, against scipy's convolution and plain means; a view may be turned and mirrored."""

import numpy as np
import pytest
from scipy import ndimage

from shared.matching.copy_detection.luma import fill_pyramid
from shared.matching.copy_detection.orientations import ORIENTATIONS, turn_views
from tests.unit.shared.matching.copy_detection.drawings import draw

VIEW = draw(1)[0]
Levels = tuple[np.ndarray, np.ndarray, np.ndarray]


def pyramid(view: np.ndarray, *, orientation: int = 0) -> Levels:
    whole, half, quarter = (np.empty((side, side), np.float32) for side in (64, 32, 16))
    fill_pyramid(view, orientation, whole, half, quarter)
    return whole, half, quarter


def smooth(plane: np.ndarray) -> np.ndarray:
    weights = np.array([1, 4, 6, 4, 1]) / 16
    for axis in (0, 1):
        plane = ndimage.correlate1d(plane, weights, axis=axis, mode="nearest")
    return plane


def halve(plane: np.ndarray) -> np.ndarray:
    side = len(plane) // 2
    return np.asarray(plane.reshape(side, 2, side, 2).mean(axis=(1, 3)))


def test_each_level_is_smoothed_before_it_is_halved() -> None:
    whole = smooth(np.tensordot([0.299, 0.587, 0.114], VIEW.astype(np.float64), axes=1))
    half = halve(whole)
    for level, expected in zip(pyramid(VIEW), (whole, half, halve(smooth(half))), strict=True):
        np.testing.assert_allclose(level, expected, atol=1e-3)


@pytest.mark.parametrize("orientation", range(ORIENTATIONS))
def test_a_view_in_an_orientation_is_the_pyramid_of_the_turned_view(orientation: int) -> None:
    turned = turn_views(VIEW, orientation)
    for level, expected in zip(pyramid(VIEW, orientation=orientation), pyramid(turned), strict=True):
        np.testing.assert_array_equal(level, expected)
