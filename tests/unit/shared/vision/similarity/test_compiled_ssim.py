"""The loops of the SSIM search: window terms, the bound of a pair, and scores, against the metric and naive sums."""

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from shared.matching.ssim_search.best_ssim import pairwise_ssim
from shared.matching.ssim_search.ssim_terms import build_terms
from shared.vision.similarity.compiled_ssim import group_sizes, open_bounds
from shared.vision.similarity.ssim import ssim

VIEWS = np.random.default_rng(0).integers(0, 256, (6, 3, 20, 23)).astype(np.uint8)
VIEWS[1], VIEWS[2] = VIEWS[0] // 2, 255
VIEWS[4, :, :, :11] = VIEWS[3, :, :, :11]


def test_window_terms_are_those_of_naive_windows() -> None:
    terms = build_terms(VIEWS)
    windows = sliding_window_view(VIEWS.astype(np.int64), (7, 7), axis=(2, 3))
    sums = terms.sums.reshape(6, 3, 14, 23)[..., :17]
    spreads = terms.spreads.reshape(6, 3, 14, 23)[..., :17]
    np.testing.assert_array_equal(sums, windows.sum(axis=(4, 5)))
    np.testing.assert_allclose(spreads, 49 * 48 * windows.var(axis=(4, 5), ddof=1), rtol=1e-6)


def test_groups_hold_every_window_once() -> None:
    assert group_sizes(3, 14, 17).sum() == 3 * 14 * 17
    assert group_sizes(1, 1, 1).tolist() == [1]


@pytest.mark.parametrize("i", range(6))
@pytest.mark.parametrize("j", range(6))
def test_a_score_is_the_metric_and_never_above_its_bound(i: int, j: int) -> None:
    first, second = (torch.from_numpy(VIEWS[number : number + 1]).double() for number in (i, j))
    expected = ssim(first, second).item()
    assert pairwise_ssim(VIEWS[i : i + 1], VIEWS[j : j + 1])[0, 0] == pytest.approx(expected, abs=1e-6)
    means, sizes = build_terms(VIEWS).means, group_sizes(3, 14, 17)
    bands = 3 * -(-14 // 8)
    bound = open_bounds(means[i], means[j], sizes, np.empty(len(sizes), np.float32), np.empty(bands + 1))
    assert bound / (3 * 14 * 17) >= expected - 1e-6
