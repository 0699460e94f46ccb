"""The SSIM search against scikit-image, pair by pair, and its rules for candidates and ties."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data
from skimage.metrics import structural_similarity

from shared.matching.ssim_search import best_ssim as search
from shared.matching.ssim_search.best_ssim import best_ssim, pairwise_ssim
from shared.matching.ssim_search.ssim_terms import build_terms


def cuts(count: int, channels: int, height_px: int, width_px: int, seed: int = 0) -> NDArray[np.uint8]:
    """Cut pictures out of a photograph; among them white, almost white, black and noise."""
    rng = np.random.default_rng(seed)
    photograph = np.pad(data.astronaut(), ((0, 8), (0, 8), (0, 0)), mode="reflect")
    images = np.empty((count, channels, height_px, width_px), np.uint8)
    for i in range(count):
        top, left = rng.integers(0, 520 - height_px + 1), rng.integers(0, 520 - width_px + 1)
        cut = photograph[top : top + height_px, left : left + width_px, :channels].transpose(2, 0, 1)
        images[i] = np.clip(cut + rng.integers(0, 4, cut.shape), 0, 255)
    images[0], images[1], images[2] = 255, 0, 254
    images[3] = rng.integers(0, 256, images[3].shape)
    images[4] = 255
    images[4, :, 2:5, 2:5] = rng.integers(0, 256, (channels, 3, 3))
    return images


def one_by_one(generations: NDArray[np.uint8], views: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Score every pair with scikit-image."""
    bands_last = [[image.transpose(1, 2, 0) for image in images] for images in (generations, views)]
    return np.array(
        [[structural_similarity(a, b, channel_axis=2, data_range=255) for b in bands_last[1]] for a in bands_last[0]]
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height_px", "width_px"), [(7, 7), (7, 40), (40, 7), (8, 13), (23, 64), (64, 64), (65, 33)])
def test_scores_are_scikit_image_s(channels: int, height_px: int, width_px: int) -> None:
    views = cuts(9, channels, height_px, width_px)
    generations = cuts(6, channels, height_px, width_px, seed=1)
    expected = one_by_one(generations, views)
    np.testing.assert_allclose(pairwise_ssim(generations, views), expected, rtol=0, atol=1e-6)
    index, score = best_ssim(generations, build_terms(views))
    np.testing.assert_allclose(score, expected.max(axis=1), rtol=0, atol=1e-6)
    np.testing.assert_allclose(expected[np.arange(6), index], expected.max(axis=1), rtol=0, atol=1e-6)


def test_the_largest_images() -> None:
    views = cuts(5, 1, 512, 512)
    np.testing.assert_allclose(pairwise_ssim(views[3:], views), one_by_one(views[3:], views), rtol=0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_the_best_is_the_best_of_all_scores(count: int) -> None:
    views, generations = cuts(60, 3, 24, 24), cuts(45, 3, 24, 24, seed=1)[-count:]
    scores = pairwise_ssim(generations, views)
    for corpus in (views, build_terms(views)):
        index, score = best_ssim(generations, corpus)
        np.testing.assert_array_equal(index, scores.argmax(axis=1))
        np.testing.assert_array_equal(score, scores.max(axis=1))


def test_candidates_are_scored_in_their_places() -> None:
    views, generations = cuts(12, 3, 16, 16), cuts(8, 3, 16, 16, seed=1)[5:]
    every = pairwise_ssim(generations, views)
    candidates = np.array([[3, -1, 3, 11, 0], [-1, -1, -1, -1, -1], [7, 6, 5, -1, 5]])
    for corpus in (views, build_terms(views)):
        scores = pairwise_ssim(generations, corpus, candidates)
        np.testing.assert_array_equal(np.isnan(scores), candidates < 0)
        for i, k in zip(*np.nonzero(candidates >= 0), strict=True):
            assert scores[i, k] == every[i, candidates[i, k]]
        index, score = best_ssim(generations, corpus, candidates)
        assert index.tolist() == [max((0, 3, 11), key=lambda v: every[0, v]), -1, max((5, 6, 7), key=lambda v: every[2, v])]
        assert math.isnan(score[1])


@pytest.mark.parametrize("count", [1, 20])
def test_ties_go_to_the_lowest_view(count: int) -> None:
    views = np.repeat(cuts(6, 3, 16, 16)[5:], 9, axis=0)
    views[:2] = 255
    generations = np.repeat(views[-1:], count, axis=0)
    assert set(best_ssim(generations, views)[0]) == {2}
    backwards = np.tile([8, 0, 5, 4, 7, 1], (count, 1))
    assert set(best_ssim(generations, views, backwards)[0]) == {4}


def test_blocks_of_raw_views_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    views, generations = cuts(30, 1, 16, 16), cuts(9, 1, 16, 16, seed=1)
    views[20] = views[7]
    generations[8] = views[7]
    expected, whole = best_ssim(generations, views), pairwise_ssim(generations, views)
    monkeypatch.setattr(search, "BLOCK_VIEWS", 4)
    for part, other in zip(best_ssim(generations, views), expected, strict=True):
        np.testing.assert_array_equal(part, other)
    np.testing.assert_array_equal(pairwise_ssim(generations, views), whole)
    assert expected[0][8] == 7


def test_an_equal_view_scores_one() -> None:
    views = cuts(8, 3, 32, 32)
    index, score = best_ssim(views[3:], views)
    assert index.tolist() == [3, 4, 5, 6, 7]
    np.testing.assert_allclose(score, 1, rtol=0, atol=1e-6)
    assert score.max() <= 1


def test_read_only_and_strided_views() -> None:
    views = cuts(6, 3, 16, 16)
    expected = pairwise_ssim(views, views)
    strided = np.repeat(views, 2, axis=3)[..., ::2]
    views.flags.writeable = False
    np.testing.assert_array_equal(pairwise_ssim(views, views), expected)
    np.testing.assert_array_equal(pairwise_ssim(strided, strided), expected)


def test_nothing_to_compare() -> None:
    views = cuts(5, 1, 8, 8)
    index, score = best_ssim(views, views[:0])
    assert index.tolist() == [-1] * 5
    assert np.isnan(score).all()
    assert pairwise_ssim(views, views[:0]).shape == (5, 0)
    assert pairwise_ssim(views[:0], views).shape == (0, 5)
    assert best_ssim(views[:0], views)[0].shape == (0,)
    assert best_ssim(views, build_terms(views[:0]))[0].tolist() == [-1] * 5
