"""The exhaustive search on pictures where most views can be ruled out, and its refusals."""

import numpy as np
import pytest
from skimage import data

from shared.errors import InputError
from shared.matching.ssim_search.best_ssim import pairwise_ssim
from shared.matching.ssim_search.exhaustive import find_exhaustive_best, shortlist_recall


def test_next_to_a_copy_most_views_are_ruled_out_unseen() -> None:
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 480, (300, 2))
    views = np.stack([data.astronaut()[top : top + 32, left : left + 32].transpose(2, 0, 1) for top, left in corners])
    generations = np.clip(views[:12] + rng.integers(-2, 3, views[:12].shape), 0, 255).astype(np.uint8)
    best = find_exhaustive_best(generations, views)
    np.testing.assert_array_equal(best.index, pairwise_ssim(generations, views).argmax(axis=1))
    assert best.pruned_share > 0.5


def test_a_manifest_of_one_image() -> None:
    image = data.astronaut()[None, :16, :16, :].transpose(0, 3, 1, 2)
    best = find_exhaustive_best(image, image)
    assert (best.index.tolist(), best.examined_pairs, best.pruned_share) == ([0], 1, 0)
    assert shortlist_recall(image, image, np.array([[-1, -1]]), best).hits == 0


@pytest.mark.parametrize(("generations", "views"), [(0, 3), (3, 0)])
def test_nothing_to_compare_is_refused(generations: int, views: int) -> None:
    images = np.zeros((3, 1, 8, 8), np.uint8)
    with pytest.raises(InputError, match=f"got {generations} and {views}"):
        find_exhaustive_best(images[:generations], images[:views])
