"""The decision at its edges: on the line, on the band's line, without a band, without a score."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.matching.calibration.decision import BORDERLINE, Bound, RuleScore, decide, decide_by_any, undecided
from shared.matching.calibration.null_distribution import NullDistribution

NULL = NullDistribution(tuple(at / 1000 for at in range(999)))  # 999 scores, so that 1 / 1,000 is attained
FLAG, BAND = Bound(rate=0.001), Bound(rate=0.005)


def test_a_decision_carries_its_figures() -> None:
    null = NullDistribution((0.1, 0.2, 0.3))
    flagged, clear = decide(0.31, null, Bound(rate=0.001)), decide(0.3, null, Bound(rate=0.001))
    assert (flagged.outcome, flagged.p_value, flagged.attained_rate) == ("flag", 0.25, 0.25)
    assert (clear.outcome, clear.threshold, clear.borderline_threshold) == ("clear", 0.3, None)
    assert undecided("index_behind").p_value is None


@pytest.mark.parametrize(
    ("score", "outcome", "reason"),
    [
        (math.nextafter(0.998, 1), "flag", "above_control_threshold"),
        (0.998, "undecided", BORDERLINE),  # on the flag's line: it has to be exceeded
        (math.nextafter(0.994, 1), "undecided", BORDERLINE),
        (0.994, "clear", "within_control"),  # on the band's line
        (-1.0, "clear", "within_control"),
    ],
)
def test_the_band_lies_between_two_rates(score: float, outcome: str, reason: str) -> None:
    decided = decide(score, NULL, FLAG, BAND)
    assert (decided.outcome, decided.reason) == (outcome, reason)
    assert (decided.threshold, decided.borderline_threshold, decided.attained_rate) == (0.998, 0.994, 0.001)


@pytest.mark.parametrize(
    ("score", "outcome", "reason"),
    [
        (0.91, "flag", "above_given_threshold"),
        (0.9, "undecided", BORDERLINE),
        (0.8, "clear", "below_given_threshold"),
    ],
)
def test_a_given_threshold_says_what_rate_it_comes_to(score: float, outcome: str, reason: str) -> None:
    decided = decide(score, NULL, Bound(score=0.9), Bound(score=0.8))
    assert (decided.outcome, decided.reason) == (outcome, reason)
    assert decided.attained_rate == pytest.approx((1 + sum(score > 0.9 for score in NULL.scores)) / 1000)


def test_a_control_too_small_to_tell_the_rates_apart_leaves_no_band() -> None:
    small = NullDistribution((0.1, 0.2, 0.3))
    assert [decide(score, small, FLAG, BAND).outcome for score in (0.3, 0.300001)] == ["clear", "flag"]


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_no_finite_score_is_never_clear(score: float) -> None:
    decided = decide(score, NULL, FLAG, BAND)
    assert (decided.outcome, decided.reason) == ("undecided", "score_undefined")


def test_a_band_above_the_line_is_refused() -> None:
    with pytest.raises(InputError, match="borderline"):
        decide(0.5, NULL, Bound(score=0.5), Bound(score=0.6))
    for both_or_none in ({}, {"rate": 0.1, "score": 0.1}):
        with pytest.raises(InputError, match="a rate or a score"):
            Bound(**both_or_none)


@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=50),
    st.floats(0.001, 0.4),
    st.floats(1.0, 2.0),
    st.lists(st.floats(-1, 1), min_size=2, max_size=20),
)
def test_a_larger_score_is_never_judged_more_leniently(
    control: list[float], rate: float, wider: float, scores: list[float]
) -> None:
    null, order = NullDistribution(tuple(control)), {"clear": 0, "undecided": 1, "flag": 2}
    found = [order[decide(score, null, Bound(rate=rate), Bound(rate=rate * wider)).outcome] for score in sorted(scores)]
    assert found == sorted(found)
    # A band takes nothing from the flags: it only holds back what would be clear.
    for score in scores:
        plain, banded = decide(score, null, Bound(rate=rate)), decide(score, null, Bound(rate=rate), Bound(rate=rate * wider))
        assert (plain.outcome == "flag") == (banded.outcome == "flag")


LOW, HIGH = NULL, NullDistribution(tuple(1 + at / 1000 for at in range(999)))


@pytest.mark.parametrize(
    ("scores", "chosen", "outcome", "p_value"),
    [
        ((0.999, 1.5), 0, "flag", 2 / 1000),
        ((0.5, 1.999), 1, "flag", 2 / 1000),
        ((0.999, 1.999), 0, "flag", 2 / 1000),  # the first of equals
        ((0.9965, 1.5), 0, "undecided", 2 * 3 / 1000),  # a band of 0.006 is one of 0.003 for each
        ((0.9955, 1.5), 0, "clear", 2 * 4 / 1000),
        ((0.1, 1.2), 1, "clear", 1.0),  # twice 0.8 is no probability
        ((0.999, math.nan), 0, "flag", 2 / 1000),  # what fires fires, whatever the other cannot say
    ],
)
def test_any_of_two_rules_decides(scores: tuple[float, float], chosen: int, outcome: str, p_value: float) -> None:
    rule_scores = [RuleScore(score, null) for score, null in zip(scores, (LOW, HIGH), strict=True)]
    at, decided = decide_by_any(rule_scores, Bound(rate=0.002), Bound(rate=0.006))
    assert (at, decided.outcome, decided.score) == (chosen, outcome, scores[chosen])
    assert decided.p_value == pytest.approx(p_value)
    assert decided.attained_rate == pytest.approx(0.002)


def test_without_a_score_nothing_is_cleared() -> None:
    rule_scores = [RuleScore(0.1, LOW), RuleScore(math.nan, HIGH)]
    assert decide_by_any(rule_scores, FLAG, BAND)[1] == undecided("score_undefined")
    with pytest.raises(InputError, match="at least one rule"):
        decide_by_any([], FLAG)
    with pytest.raises(InputError, match="one rule"):
        decide_by_any([RuleScore(0.1, LOW)] * 2, Bound(score=0.9))


def test_a_rule_that_fires_comes_before_a_smaller_p_value() -> None:
    large = NullDistribution(tuple(at / 100_000 for at in range(99_999)))
    rule_scores = [RuleScore(0.9994, large), RuleScore(1.999, HIGH)]
    at, decided = decide_by_any(rule_scores, Bound(rate=0.001))
    assert (at, decided.outcome) == (1, "flag")


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=60), st.floats(0.001, 0.5))
def test_any_rule_fires_on_a_control_at_most_as_often_as_stated(pairs: list[tuple[float, float]], rate: float) -> None:
    """Each picture judged by all the others: the bound of exchangeable scores, whatever they are and however they depend."""
    fired = 0
    stated = 0.0
    for at, pair in enumerate(pairs):
        rest = pairs[:at] + pairs[at + 1 :]
        nulls = [NullDistribution(tuple(scores[rule] for scores in rest)) for rule in (0, 1)]
        decided = decide_by_any([RuleScore(*rule_score) for rule_score in zip(pair, nulls, strict=True)], Bound(rate=rate))[1]
        fired += decided.outcome == "flag"
        stated = decided.attained_rate or 0.0
    assert fired <= stated * len(pairs) + 1e-9


def test_one_rule_is_the_plain_decision() -> None:
    for score in (0.1, 0.996, 0.9985):
        assert decide_by_any([RuleScore(score, NULL)], FLAG, BAND) == (0, decide(score, NULL, FLAG, BAND))


def test_several_looks_keep_the_rate_of_one() -> None:
    """Unrelated files of five looks, whose scores depend on each other or not, fire no more often than the rate."""
    random = np.random.default_rng(0)
    looks, files, rate = 5, 2_000, 0.05
    for shared in (0.0, 0.9):
        fired = 0
        for _ in range(files):
            control = NullDistribution(tuple(random.normal(size=199)))
            common = random.normal()
            scores = shared * common + (1 - shared**2) ** 0.5 * random.normal(size=looks)
            judged = [RuleScore(float(score), control) for score in scores]
            fired += decide_by_any(judged, Bound(rate=rate), looks=looks)[1].outcome == "flag"
        assert fired / files <= rate + 3 * (rate / files) ** 0.5


def test_of_several_looks_the_one_that_says_most_decides() -> None:
    judged = [RuleScore(score, NULL) for score in (0.1, 2.0, 3.0)]
    at, decided = decide_by_any(judged, Bound(score=1.5), looks=3)
    assert (at, decided.score, decided.outcome) == (2, 3.0, "flag")
    with pytest.raises(InputError, match="looks"):
        decide_by_any(judged, FLAG, looks=2)
