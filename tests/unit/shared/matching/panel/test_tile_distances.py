"""Tile distances against a plain loop."""

import numpy as np
import pytest

from shared.errors import InputError
from shared.matching.panel.tile_distances import GRID, tile_distances


def naive(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    gap = (first.astype(float) - second.astype(float)) / 255
    tiles = [
        np.sqrt((tile**2).mean()) for band in np.array_split(gap, GRID, axis=1) for tile in np.array_split(band, GRID, axis=2)
    ]
    return float(np.sqrt((gap**2).mean())), float(max(tiles))


@pytest.mark.parametrize("shape", [(1, 24, 24), (3, 32, 32), (3, 64, 48)])
def test_agrees_with_a_plain_loop(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(1)
    training = rng.integers(0, 256, (7, *shape), dtype=np.uint8)
    generations = rng.integers(0, 256, (3, *shape), dtype=np.uint8)
    candidates = np.array([[0, 3], [6, 6], [2, 1]])
    distances = tile_distances(generations, training, candidates)
    for at, row in enumerate(candidates):
        for rank, second in enumerate(row):
            whole, worst = naive(generations[at], training[second])
            assert distances.whole[at, rank] == pytest.approx(whole, abs=1e-12)
            assert distances.worst_tile[at, rank] == pytest.approx(worst, abs=1e-12)


def test_sides_that_do_not_divide_by_four_lose_no_pixel() -> None:
    training = np.zeros((1, 1, 9, 13), dtype=np.uint8)
    generation = training.copy()
    generation[0, 0, 8, 12] = 255
    distances = tile_distances(generation, training, np.array([[0]]))
    assert distances.whole[0, 0] == pytest.approx(np.sqrt(1 / (9 * 13)))


def test_refuses_views_too_small_for_the_grid_and_foreign_candidates() -> None:
    small = np.zeros((1, 1, 3, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="sides of 4 px"):
        tile_distances(small, small, np.array([[0]]))
    views = np.zeros((1, 1, 8, 8), dtype=np.uint8)
    with pytest.raises(InputError, match="candidates: expected 0 to 0"):
        tile_distances(views, views, np.array([[1]]))
