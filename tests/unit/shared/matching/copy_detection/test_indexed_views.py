"""Indexed views: what a placement shows of a picture, and views of another form refused."""

import numpy as np
import pytest

from shared.errors import InputError
from shared.matching.copy_detection.indexed_views import INDEXED_VIEWS, STARTS, build_indexed_views, warp_views
from tests.unit.shared.matching.copy_detection.drawings import draw

VIEWS = draw(3)
WHOLE = np.array([1.0, 0, 0, 0])


def test_the_first_view_is_the_whole_picture() -> None:
    views = build_indexed_views(VIEWS)
    assert len(views) == len(INDEXED_VIEWS) == len(STARTS)
    np.testing.assert_array_equal(views[0], VIEWS)
    assert len({view.tobytes() for view in views}) == len(views)


def test_a_shift_by_whole_pixels_moves_them_and_the_border_goes_on() -> None:
    moved = warp_views(VIEWS, np.array([1.0, 0, 3, 0]))
    np.testing.assert_array_equal(moved[..., :60], VIEWS[..., 3:63])
    assert (moved[..., 61:] == moved[..., 61:62]).all()


def test_a_placement_may_be_one_for_all_or_one_for_each() -> None:
    placements = np.stack([WHOLE, [0.8, 0.1, 2, -1], [0.9, 0, 0, 0]])
    each = warp_views(VIEWS, placements)
    for row, placement in enumerate(placements):
        np.testing.assert_array_equal(each[row], warp_views(VIEWS, placement)[row])


@pytest.mark.parametrize("views", [VIEWS.astype(np.float32), VIEWS[:, :1], VIEWS[0], VIEWS[..., :32]])
def test_views_of_another_form_are_refused(views: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected views uint8"):
        build_indexed_views(views)
