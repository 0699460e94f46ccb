"""What the search takes: images of one size, 7 to 512 px, and candidates that are there."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import InputError
from shared.matching.ssim_search.best_ssim import best_ssim, pairwise_ssim


@pytest.mark.parametrize(
    ("generations", "views", "candidates", "message"),
    [
        (np.zeros((1, 3, 8, 8)), np.zeros((1, 3, 8, 8), np.uint8), None, "generations: expected uint8"),
        (np.zeros((1, 3, 8, 8), np.uint8), np.zeros((3, 8, 8), np.uint8), None, "views: expected uint8"),
        (np.zeros((1, 3, 6, 8), np.uint8), np.zeros((1, 3, 6, 8), np.uint8), None, "sides of 7..512 px, got 6 × 8"),
        (np.zeros((1, 1, 8, 513), np.uint8), np.zeros((1, 1, 8, 513), np.uint8), None, "got 8 × 513"),
        (np.zeros((1, 3, 8, 8), np.uint8), np.zeros((1, 1, 8, 8), np.uint8), None, r"expected .* \(1, 8, 8\) .*got \(3"),
        (np.zeros((1, 1, 8, 8), np.uint8), np.zeros((2, 1, 8, 8), np.uint8), [[2]], "expected -1..1, got 2..2"),
        (np.zeros((1, 1, 8, 8), np.uint8), np.zeros((2, 1, 8, 8), np.uint8), [[-2]], "expected -1..1, got -2"),
        (np.zeros((1, 1, 8, 8), np.uint8), np.zeros((2, 1, 8, 8), np.uint8), [[0], [1]], r"integers \(1, k\)"),
        (np.zeros((1, 1, 8, 8), np.uint8), np.zeros((2, 1, 8, 8), np.uint8), [[0.0]], "got float64"),
    ],
)
def test_refusals(
    generations: NDArray[np.uint8], views: NDArray[np.uint8], candidates: list[list[float]] | None, message: str
) -> None:
    chosen = None if candidates is None else np.array(candidates)
    for work in (best_ssim, pairwise_ssim):
        with pytest.raises(InputError, match=message):
            work(generations, views, chosen)


@pytest.mark.parametrize(("side_px", "refused"), [(6, True), (7, False), (512, False), (513, True)])
def test_the_smallest_and_the_largest_view_of_the_search(side_px: int, refused: bool) -> None:
    views = np.zeros((1, 1, side_px, side_px), np.uint8)
    if refused:
        with pytest.raises(InputError, match=r"sides of 7\.\.512 px"):
            best_ssim(views, views)
    else:
        assert best_ssim(views, views)[0].tolist() == [0]
