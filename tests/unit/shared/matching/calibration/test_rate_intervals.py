"""Intervals against published values and an independent calculation."""

import numpy as np
import pytest
from scipy.stats import binom

from shared.errors import InputError
from shared.matching.calibration.rate_intervals import build_rate, upper_bound


def test_wilson_agrees_with_the_published_example() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3: 81 of 263 and 0 of 20.
    first, second = build_rate(81, 263), build_rate(0, 20)
    assert (round(first.low, 4), round(first.high, 4)) == (0.2553, 0.3662)
    assert (round(second.low, 4), round(second.high, 4)) == (0.0, 0.1611)


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 40), (39, 40), (0, 128)])
def test_the_upper_bound_is_where_so_few_hits_become_unlikely(hits: int, trials: int) -> None:
    assert binom.cdf(hits, trials, upper_bound(hits, trials)) == pytest.approx(0.05, abs=1e-9)


def test_all_hits_have_no_upper_bound_below_one() -> None:
    assert upper_bound(7, 7) == 1.0


@pytest.mark.parametrize(("hits", "trials"), [(1, 0), (-1, 3), (4, 3)])
def test_impossible_counts_are_refused(hits: int, trials: int) -> None:
    with pytest.raises(InputError):
        build_rate(hits, trials)
    with pytest.raises(InputError):
        upper_bound(hits, trials)


def test_wilson_covers() -> None:
    random = np.random.default_rng(0)
    hits = random.binomial(60, 0.2, size=3000)
    covered = [(rate := build_rate(int(count), 60)).low <= 0.2 <= rate.high for count in hits]
    assert np.mean(covered) > 0.93
