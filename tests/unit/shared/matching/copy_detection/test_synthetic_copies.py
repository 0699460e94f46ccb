"""Synthetic copies: the same from the same seed, and still where they are to be."""

import numpy as np

from shared.matching.copy_detection.synthetic_copies import build_synthetic_copies
from tests.unit.shared.matching.copy_detection.drawings import draw


def test_copies_depend_on_the_seed_alone() -> None:
    views = draw(5)
    first, same, other = (build_synthetic_copies(views, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_a_copy_that_is_to_stay_still_shows_the_middle_where_it_was() -> None:
    views = draw(40)
    moved, still = (build_synthetic_copies(views, np.random.default_rng(1), share) for share in (0.0, 1.0))
    differences = [np.median(np.abs(copies.astype(int) - views), axis=(1, 2, 3)) for copies in (moved, still)]
    assert (differences[1] == 0).sum() > (differences[0] == 0).sum()
    assert still.shape == views.shape
    assert still.dtype == np.uint8
