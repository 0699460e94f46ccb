"""The held-out control: an exact chance, near copies that were not held out, and controls too small to tell."""

from itertools import combinations

import numpy as np
import pytest

from services.audit.controls.held_out import FALSE_ALARM, check_rate, exceedance_tail
from shared.matching.calibration.null_distribution import NullDistribution, cross_fit, threshold_rank


def tail_by_enumeration(first: int, second: int, rank_first: int, rank_second: int, hits: int) -> float:
    """The same chance, by counting through every order of the two halves."""
    orders = list(combinations(range(first + second), first))
    found = 0
    for places in orders:
        of_first = list(places)
        of_second = [at for at in range(first + second) if at not in places]
        fired = sum(at < of_first[rank_first - 1] for at in of_second) + sum(
            at < of_second[rank_second - 1] for at in of_first
        )
        found += fired >= hits
    return found / len(orders)


@pytest.mark.parametrize(("first", "second"), [(2, 2), (3, 2), (4, 4), (5, 4)])
def test_the_chance_is_that_of_every_order_alike(first: int, second: int) -> None:
    for rank_first in range(1, first + 1):
        for rank_second in range(1, second + 1):
            for hits in range(first + second + 2):
                expected = tail_by_enumeration(first, second, rank_first, rank_second, hits)
                assert exceedance_tail(first, second, rank_first, rank_second, hits) == pytest.approx(expected), hits


@pytest.mark.parametrize("rate", [0.001, 0.05, 0.3])
def test_sound_controls_fail_as_rarely_as_is_stated(rate: float) -> None:
    rng = np.random.default_rng(0)
    sizes = (20, 20)
    ranks = threshold_rank(rate, 20), threshold_rank(rate, 20)
    chances = []
    for _ in range(2000):
        hits = cross_fit(NullDistribution(tuple(rng.normal(size=40))), rate).rate.hits
        chances.append(exceedance_tail(*sizes, *ranks, hits))
    # The chance of a sound control is at most p as often as p, or more rarely.
    for level in (0.5, 0.1, 0.02):
        assert np.mean(np.array(chances) <= level) <= level + 3 * np.sqrt(level / 2000)


def test_half_of_which_fires_is_found_out_and_a_small_control_is_undefined() -> None:
    # Even positions high, odd ones low: no order of a sound control looks like that.
    apart = tuple(float(at % 2) + at / 1000 for at in range(40))
    check = check_rate("ssim", NullDistribution(apart), 0.001, FALSE_ALARM)
    assert check.passed is False
    assert check.figures["fired"] == 20
    small = check_rate("ssim", NullDistribution(apart[:8]), 0.001, FALSE_ALARM)
    assert (small.passed, small.figures) == (None, {})
    assert "too small" in small.reason
    sound = check_rate("ssim", NullDistribution(tuple(np.random.default_rng(1).normal(size=40))), 0.001, FALSE_ALARM)
    assert sound.passed is True
