"""The bound on SSIM is never below a score, and the pruned search is the exhaustive one, ties included."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from shared.matching.ssim_search.best_ssim import pairwise_ssim
from shared.matching.ssim_search.exhaustive import find_exhaustive_best, shortlist_recall
from shared.matching.ssim_search.ssim_terms import build_terms
from shared.vision.similarity.compiled_ssim import SLACK, group_sizes, open_bounds

SIDES = st.integers(7, 24)


@st.composite
def picture_sets(draw: st.DrawFn) -> NDArray[np.uint8]:
    """Draw pictures of one size: flat, almost flat, gradients, noise, copies and copies of low noise."""
    channels, height, width = draw(st.sampled_from([1, 3])), draw(SIDES), draw(SIDES)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images: list[NDArray[np.int64]] = []
    for kind in draw(
        st.lists(st.sampled_from(["flat", "nearly", "ramp", "noise", "copy", "near copy"]), min_size=3, max_size=10)
    ):
        level = rng.integers(0, 256)
        image: NDArray[np.int64] = np.full((channels, height, width), level)
        if kind == "nearly":
            image[:, height // 2, width // 2] = rng.integers(0, 256)
        elif kind == "ramp":
            image = image // 2 + np.linspace(0, rng.integers(1, 128), width).astype(int)
        elif kind == "noise":
            image = rng.integers(0, 256, image.shape)
        elif kind.endswith("copy") and images:
            image = images[int(rng.integers(len(images)))] + (rng.integers(-2, 3, image.shape) if kind == "near copy" else 0)
        images.append(np.clip(image, 0, 255))
    return np.stack(images).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(picture_sets())
def test_no_score_exceeds_its_bound(images: NDArray[np.uint8]) -> None:
    terms, scores = build_terms(images), pairwise_ssim(images, images)
    channels, rows, columns = terms.shape[0], terms.shape[1] - 6, terms.shape[2] - 6
    sizes = group_sizes(channels, rows, columns)
    assert sizes.sum() == channels * rows * columns
    opened = np.zeros(channels * -(-rows // 8) + 1)
    for i, x in enumerate(terms.means):
        for j, y in enumerate(terms.means):
            bound = open_bounds(x, y, sizes, np.empty(len(sizes), np.float32), opened)
            assert bound / sizes.sum() >= scores[i, j] - SLACK / 2
            assert (np.diff(opened) <= 1e-3).all()


@settings(max_examples=60, deadline=None)
@given(picture_sets(), st.integers(1, 4))
def test_the_pruned_search_is_the_exhaustive_one(images: NDArray[np.uint8], count: int) -> None:
    generations, scores = images[:count], pairwise_ssim(images[:count], images)
    for views in (images, build_terms(images)):
        best = find_exhaustive_best(generations, views)
        np.testing.assert_array_equal(best.index, scores.argmax(axis=1))
        np.testing.assert_array_equal(best.ssim, scores.max(axis=1))
        assert 1 <= best.examined_pairs <= best.pairs == scores.size
        assert 0 <= best.pruned_share < 1


@settings(max_examples=30, deadline=None)
@given(picture_sets(), st.data())
def test_recall_counts_shortlists_that_hold_a_best_view(images: NDArray[np.uint8], choice: st.DataObject) -> None:
    shortlists = choice.draw(arrays.arrays(np.int64, (len(images), 2), elements=st.integers(-1, len(images) - 1)))
    scores = pairwise_ssim(images, images)
    is_held = [any(v >= 0 and scores[i, v] == scores[i].max() for v in row) for i, row in enumerate(shortlists)]
    rate = shortlist_recall(images, images, shortlists)
    assert (rate.hits, rate.trials) == (sum(is_held), len(images))
    assert rate.low <= rate.value <= rate.high
