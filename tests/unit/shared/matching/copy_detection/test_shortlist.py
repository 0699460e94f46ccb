"""The shortlist: each item once a side with its nearest view, ties to the lower number, however the points were found."""

import numpy as np

from shared.index.coded_scan import ScannedRows
from shared.matching.copy_detection.shortlist import CANDIDATES, TURNED_CANDIDATES, merge_points, search_points


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_equal_cosines_go_to_the_lower_number_and_the_unmirrored_side() -> None:
    items, views = np.array([[[5, 2, 2], [2, 5, -1]]]), np.array([[[0, 1, 0], [0, 3, 0]]])
    shortlist = merge_points(items, views, np.array([[[0.5, 0.5, 0.4], [0.5, 0.5, 0.0]]], np.float32))
    assert shortlist.items.tolist() == [[2, 2, 5, 5]]
    assert shortlist.mirrored.tolist() == [[False, True, False, True]]
    assert shortlist.views.tolist() == [[1, 0, 0, 3]]


def test_it_is_as_wide_as_its_longest_row() -> None:
    items = np.full((2, 2, 30), -1)
    items[0, 0, :3] = [4, 1, 2]
    shortlist = merge_points(items, np.zeros_like(items), np.zeros(items.shape, np.float32))
    assert shortlist.items.tolist() == [[1, 2, 4], [-1, -1, -1]]
    assert merge_points(items[1:], items[1:], np.zeros((1, 2, 30), np.float32)).items.tolist() == [[-1]]
    many = np.arange(60).reshape(1, 2, 30)
    assert merge_points(many, np.zeros_like(many), np.zeros(many.shape, np.float32)).items.shape == (1, CANDIDATES)


def test_rows_and_columns_can_be_taken() -> None:
    items = np.arange(12).reshape(2, 2, 3)
    shortlist = merge_points(items, np.zeros_like(items), -items.astype(np.float32))
    assert shortlist.rows(slice(1, 2)).items.tolist() == [[6, 7, 8, 9, 10, 11]]
    assert shortlist.narrow(2).items.tolist() == [[0, 1], [6, 7]]


def test_the_search_numbers_points_by_view_and_item() -> None:
    rng = np.random.default_rng(0)
    points = unit(rng.normal(size=(6 * 4, 16)))
    # The second indexed view of item 3, and the fifth of item 0 mirrored.
    shortlist = search_points(np.stack([points[7:8], points[16:17]], axis=1), ScannedRows.build(points), 4)
    assert list(zip(shortlist.items[0, :2], shortlist.mirrored[0, :2], shortlist.views[0, :2], strict=True)) == [
        (0, True, 4),
        (3, False, 1),
    ]
    np.testing.assert_allclose(shortlist.cosines[0, :2], 1, atol=1e-6)


def test_turned_generations_are_looked_up_among_whole_views_behind_the_others() -> None:
    rng = np.random.default_rng(0)
    points, queries = unit(rng.normal(size=(6 * 4, 16))), unit(rng.normal(size=(8, 16)))
    queries[5] = points[2]
    scanned = ScannedRows.build(points)
    upright, every = search_points(queries[None, :2], scanned, 4), search_points(queries[None], scanned, 4)
    width = upright.items.shape[1]
    assert every.narrow(width).items.tolist() == upright.items.tolist()
    assert (every.items[0, width], every.orientations[0, width], every.views[0, width]) == (2, 5, 0)
    assert every.items.shape[1] == width + TURNED_CANDIDATES
