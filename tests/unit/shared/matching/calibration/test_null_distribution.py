"""The null distribution: p-values that are valid, thresholds that keep their rate, rates that say what they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError, NotFoundError
from shared.matching.calibration.null_distribution import ControlScores, NullDistribution, cross_fit

SCORES = st.lists(st.floats(-1, 1), min_size=4, max_size=60)
RATES = st.floats(0.001, 0.5)


@given(SCORES, st.floats(-1, 1))
def test_a_p_value_counts_the_control_at_least_as_similar(scores: list[float], score: float) -> None:
    null = NullDistribution(tuple(scores))
    expected = (1 + sum(one >= score for one in scores)) / (len(scores) + 1)
    assert null.p_values([score])[0] == pytest.approx(expected)


@given(SCORES, RATES, st.floats(-1, 1))
def test_firing_is_the_same_as_a_p_value_at_most_the_attained_rate(scores: list[float], rate: float, score: float) -> None:
    null = NullDistribution(tuple(scores))
    assert bool(null.fires([score], rate)[0]) == (null.p_values([score])[0] <= null.attained_rate(rate) + 1e-12)


@given(SCORES, RATES)
def test_the_attained_rate_is_the_chosen_one_or_the_smallest_there_is(scores: list[float], rate: float) -> None:
    null = NullDistribution(tuple(scores))
    smallest = 1 / (len(scores) + 1)
    assert null.attained_rate(rate) == pytest.approx(smallest) or null.attained_rate(rate) <= rate + 1e-9
    assert null.attained_rate(rate) >= smallest - 1e-12


def test_p_values_of_exchangeable_scores_are_uniform() -> None:
    random = np.random.default_rng(0)
    below = [
        float(NullDistribution(tuple(drawn[:-1])).p_values(drawn[-1:])[0] <= 0.1) for drawn in random.normal(size=(4000, 100))
    ]
    # P(p ≤ 0.1) is exactly 10 of 100 ranks; five standard errors of 4,000 draws.
    assert np.mean(below) == pytest.approx(0.1, abs=5 * np.sqrt(0.09 / 4000))


def test_cross_fitting_keeps_its_stated_rate() -> None:
    random = np.random.default_rng(1)
    fits = [cross_fit(NullDistribution(tuple(scores)), 0.001) for scores in random.normal(size=(2000, 60))]
    assert fits[0].stated_rate == pytest.approx(1 / 31)
    rates = [one.rate.value for one in fits]
    assert np.mean(rates) == pytest.approx(1 / 31, abs=5 * np.std(rates) / np.sqrt(len(rates)))


@pytest.mark.parametrize("scores", [(), (0.5,), (0.5, float("nan")), (0.5, float("inf"))])
def test_what_gives_no_distribution_is_refused(scores: tuple[float, ...]) -> None:
    with pytest.raises(InputError):
        NullDistribution(scores)


def test_the_digest_covers_pipeline_and_scores() -> None:
    scores = [{"ssim": values} for values in ((0.1, 0.2), (0.1, 0.3))] + [{"clip": (0.1, 0.2)}]
    digests = {ControlScores(one, pipeline).sha256 for one in scores for pipeline in ({"k": 1}, {"k": 2})}
    assert len(digests) == 6


def test_a_rule_that_the_control_was_not_measured_by_has_no_null() -> None:
    control = ControlScores({"ssim": (0.1, 0.2)}, {})
    assert control.null("ssim").size == 2
    with pytest.raises(NotFoundError, match="by \\['ssim'\\], not by 'clip'"):
        control.null("clip")
