"""The best SSIM over eight orientations: that of eight searches, at the cost of far fewer."""

import numpy as np
import pytest

from shared.errors import InputError
from shared.matching.copy_detection.orientations import ORIENTATIONS, turn_views
from shared.matching.ssim_search.best_ssim import best_ssim, search_best
from shared.matching.ssim_search.ssim_terms import BoundedViews, build_means
from shared.matching.ssim_search.turned_ssim import TURNED_CANDIDATES, best_turned_ssim
from tests.unit.shared.matching.blocks import blobs, noisy

TRAINING = blobs(40, 1)
SHORTLISTS = np.tile(np.arange(len(TRAINING)), (ORIENTATIONS, 1))
TURNED = np.concatenate([turn_views(noisy(TRAINING[at : at + 1]), at) for at in range(ORIENTATIONS)])


def test_a_copy_is_found_in_each_orientation_where_the_upright_search_finds_one() -> None:
    index, score = best_turned_ssim(TURNED, TRAINING, SHORTLISTS)
    assert index.tolist() == list(range(ORIENTATIONS))
    assert score.min() > 0.9
    _, upright = best_ssim(TURNED, TRAINING, SHORTLISTS)
    assert (upright > 0.9).tolist() == [True] + [False] * (ORIENTATIONS - 1)


@pytest.mark.parametrize("known", [False, True], ids=["from nothing", "from the upright result"])
@pytest.mark.parametrize("kind", [np.asarray, lambda views: BoundedViews(views, build_means(views))])
def test_it_is_the_best_of_eight_searches(kind: object, known: bool) -> None:
    generations, views = np.concatenate([TURNED, blobs(8, 3)]), kind(TRAINING)  # type: ignore[operator]
    candidates = np.tile(np.arange(len(TRAINING)), (len(generations), 1))
    candidates[:, ::3] = -1
    each = [best_ssim(turn_views(generations, orientation), views, candidates) for orientation in range(ORIENTATIONS)]
    scores = np.stack([score for _, score in each])
    upright = each[0] if known else None
    index, score = best_turned_ssim(generations, views, candidates, upright=upright)
    np.testing.assert_allclose(score, scores.max(axis=0), rtol=0, atol=1e-12)
    best = scores.argmax(axis=0)
    assert index.tolist() == [int(each[orientation][0][at]) for at, orientation in enumerate(best)]


@pytest.mark.parametrize("side_px", [9, 24, 64])
def test_turned_copies_are_found_among_many_more_candidates_than_are_compared(side_px: int) -> None:
    many = np.ascontiguousarray(blobs(5 * TURNED_CANDIDATES, 5)[:, :, :side_px, :side_px])
    turned = np.concatenate([turn_views(noisy(many[at : at + 1]), at) for at in range(ORIENTATIONS)])
    # Some flat, and some candidates missing.
    many[100:110] = 200
    candidates = np.tile(np.arange(len(many)), (ORIENTATIONS, 1))
    candidates[:, 200:220] = -1
    index, score = best_turned_ssim(turned, many, candidates)
    assert index.tolist() == list(range(ORIENTATIONS))
    assert score.min() > 0.7


def test_what_the_detector_names_is_compared_beside_the_shortlist() -> None:
    others = np.tile(np.arange(20, 30), (ORIENTATIONS, 1))
    index, score = best_turned_ssim(TURNED, TRAINING, others, np.arange(ORIENTATIONS))
    assert index.tolist() == list(range(ORIENTATIONS))
    assert score.min() > 0.9


def test_a_found_match_rules_out_pairs_and_stays_where_nothing_is_better() -> None:
    generations = noisy(TRAINING[:8])
    found = best_ssim(generations, TRAINING, SHORTLISTS)
    index, score, with_floor = search_best(turn_views(generations, 2), TRAINING, SHORTLISTS, found)
    _, _, without = search_best(turn_views(generations, 2), TRAINING, SHORTLISTS)
    np.testing.assert_array_equal(index, found[0])
    np.testing.assert_array_equal(score, found[1])
    assert with_floor < without / 4


def test_without_candidates_there_is_no_match() -> None:
    index, score = best_turned_ssim(TURNED[:2], TRAINING, np.full((2, 1), -1))
    assert index.tolist() == [-1, -1]
    assert np.isnan(score).all()


def test_views_that_are_not_square_are_refused() -> None:
    with pytest.raises(InputError, match="square"):
        best_turned_ssim(np.zeros((1, 1, 8, 9), np.uint8), np.zeros((1, 1, 8, 9), np.uint8), np.array([[0]]))
