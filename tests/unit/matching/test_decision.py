"""The decision at its edges: on the line, on the band's line, without a band, without a score."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.matching.decision import BORDERLINE, Bound, decide, undecided
from shared.matching.null import NullDistribution

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
    assert decided.attained_rate == pytest.approx((1 + sum(one > 0.9 for one in NULL.scores)) / 1000)


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
    found = [order[decide(one, null, Bound(rate=rate), Bound(rate=rate * wider)).outcome] for one in sorted(scores)]
    assert found == sorted(found)
    # A band takes nothing from the flags: it only holds back what would be clear.
    for one in scores:
        plain, banded = decide(one, null, Bound(rate=rate)), decide(one, null, Bound(rate=rate), Bound(rate=rate * wider))
        assert (plain.outcome == "flag") == (banded.outcome == "flag")
