"""The decision for one generation: clear, flag or undecided, with the figures that it rests on.

Rules, in order:

1. Whatever is missing or failed makes the outcome `undecided`, with a reason, never `clear`. So does a score that is not
   finite.
2. The outcome is `flag` where the score exceeds the policy's bound: the control's score at a false-positive rate, or a score
   that the policy gives.
3. Where the policy has a borderline band, a score between its bound and the flag's is `undecided`, reason `borderline`: too
   close for a machine, so a person looks. Both bounds are of one kind, so the band reads as "between these two rates" or
   "between these two scores". A control too small to tell two rates apart leaves no score between them.
4. Otherwise the outcome is `clear`.
5. Of several rules, each is judged by its own control and its equal share of the rate. The one that fires with the smallest
   p-value decides, the first of equals; where none fires, the one with the smallest p-value. Its p-value is multiplied by the
   number of rules (Bonferroni: an unrelated picture makes any of them fire at most as often as all of them added up). A
   missing score leaves the outcome `undecided`, unless another rule fires.
6. A file that is shown in several ways (frames, backgrounds) is looked at as often, and each look is one more chance to fire.
   The rates are shared among the looks as well, and the p-value is multiplied by them. One look changes nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from shared.errors import InputError
from shared.matching.calibration.null_distribution import NullDistribution

Outcome = Literal["clear", "flag", "undecided"]
BORDERLINE = "borderline"


@dataclass(frozen=True)
class Bound:
    """The bound that a score has to exceed, stated in one of two ways.

    Args:
        rate: the control's score at this false-positive rate, 0..1; or
        score: this score itself.
    """

    rate: float | None = None
    score: float | None = None

    def __post_init__(self) -> None:
        """Refuse a bound that says nothing, or two things."""
        if (self.rate is None) == (self.score is None):
            raise InputError(f"expected a rate or a score as bound, got rate {self.rate} and score {self.score}")

    def divided_by(self, rules: int) -> "Bound":
        """Return the bound of each of several rules, which share a rate equally; a score belongs to one rule.

        Raises:
            InputError: a score is to be divided.

        >>> Bound(rate=0.002).divided_by(2)
        Bound(rate=0.001, score=None)
        """
        if self.rate is None and rules > 1:
            raise InputError(f"expected one rule where its score is given, got {rules}", code="policy_invalid")
        return self if self.rate is None else Bound(rate=self.rate / rules)

    def per_look(self, looks: int) -> "Bound":
        """Return the bound of each of several looks at one file, which share a rate equally; a score stays what it is.

        >>> Bound(rate=0.002).per_look(2), Bound(score=0.9).per_look(2)
        (Bound(rate=0.001, score=None), Bound(rate=None, score=0.9))
        """
        return self if self.rate is None else Bound(rate=self.rate / looks)

    def threshold(self, null: NullDistribution) -> float:
        """Return the score that has to be exceeded.

        >>> Bound(rate=0.25).threshold(NullDistribution((0.1, 0.2, 0.3))), Bound(score=0.9).threshold(NullDistribution((0, 1)))
        (0.3, 0.9)
        """
        return null.threshold(self.rate) if self.rate is not None else float(self.score or 0.0)

    def attained_rate(self, null: NullDistribution) -> float:
        """Return the false-positive rate that this bound attains on a control."""
        return null.rate_above(self.threshold(null)) if self.rate is None else null.attained_rate(self.rate)


@dataclass(frozen=True)
class Decision:
    """An outcome; it has p-value, threshold and attained rate unless something was missing."""

    outcome: Outcome
    reason: str
    score: float | None = None
    p_value: float | None = None
    threshold: float | None = None
    borderline_threshold: float | None = None
    attained_rate: float | None = None


def decide(score: float, null: NullDistribution, flag: Bound, borderline: Bound | None = None) -> Decision:
    """Decide by a score and a control.

    Args:
        score: of the generation by the policy's rule, larger for more alike.
        null: the model's control by the same rule.
        flag: what a score has to exceed to fire.
        borderline: what a score has to exceed to be looked at; not above `flag`.

    Raises:
        InputError: the borderline band lies above the flag's bound.
    """
    if not math.isfinite(score):
        return undecided("score_undefined")
    threshold = flag.threshold(null)
    lower = None if borderline is None else borderline.threshold(null)
    if lower is not None and lower > threshold:
        raise InputError(f"expected a borderline band from at most {threshold}, got one from {lower}", code="policy_invalid")
    outcome, reason = _judge(score, threshold, lower, is_given=flag.rate is None)
    return Decision(
        outcome=outcome,
        reason=reason,
        score=score,
        p_value=float(null.p_values([score])[0]),
        threshold=threshold,
        borderline_threshold=lower,
        attained_rate=flag.attained_rate(null),
    )


@dataclass(frozen=True)
class RuleScore:
    """A generation's score by one rule, and the control's scores by the same."""

    score: float
    null: NullDistribution


def decide_by_any(
    rule_scores: Sequence[RuleScore], flag: Bound, borderline: Bound | None = None, *, looks: int = 1
) -> tuple[int, Decision]:
    """Decide by several rules: any of them may fire.

    Args:
        rule_scores: the generation's score by each rule, in the policy's order; at least one. Of several looks, the scores of
            the first, then those of the next.
        flag: what a score has to exceed to fire, for all rules and looks together.
        borderline: what a score has to exceed to be looked at; not above `flag`.
        looks: in how many ways the generation was looked at.

    Returns:
        Which of the scores decides, and the decision: its score and threshold, the p-value and attained rate of all together.

    Raises:
        InputError: no rule, another number of scores for each look, or as `decide`.

    >>> low, high = NullDistribution((0.1, 0.2, 0.3)), NullDistribution((0.7, 0.8, 0.9))
    >>> at, decision = decide_by_any([RuleScore(0.25, low), RuleScore(0.95, high)], Bound(rate=0.5))
    >>> at, decision.outcome, decision.p_value, decision.attained_rate
    (1, 'flag', 0.5, 0.5)
    """
    if not rule_scores:
        raise InputError("expected at least one rule to decide by, got none")
    rules, surplus = divmod(len(rule_scores), looks)
    if surplus:
        raise InputError(f"expected as many scores for each of {looks} looks, got {len(rule_scores)} in all")
    bounds = flag.divided_by(rules).per_look(looks), borderline and borderline.divided_by(rules).per_look(looks)
    decisions = [decide(scored.score, scored.null, *bounds) for scored in rule_scores]
    # A larger control may give a smaller p-value to what does not fire; what fires comes first. Of looks that are equal by
    # one rule's p-value, the one with the highest score.
    known = [
        (scored.outcome != "flag", scored.p_value, at % rules, -(scored.score or 0.0), at)
        for at, scored in enumerate(decisions)
        if scored.p_value is not None
    ]
    deciding = min(known)[-1] if known else 0
    decision = decisions[deciding]
    if decision.outcome != "flag" and len(known) < len(rule_scores):
        return deciding, undecided("score_undefined")
    if decision.p_value is None:
        return deciding, decision
    attained = sum(bounds[0].attained_rate(scored.null) for scored in rule_scores)
    return deciding, replace(decision, p_value=min(len(rule_scores) * decision.p_value, 1.0), attained_rate=min(attained, 1.0))


def _judge(score: float, threshold: float, lower: float | None, *, is_given: bool) -> tuple[Outcome, str]:
    if score > threshold:
        return "flag", "above_given_threshold" if is_given else "above_control_threshold"
    if lower is not None and score > lower:
        return "undecided", BORDERLINE
    return "clear", "below_given_threshold" if is_given else "within_control"


def undecided(reason: str) -> Decision:
    """Build the decision for a check that could not be completed; the reason is a stable code."""
    return Decision(outcome="undecided", reason=reason)
