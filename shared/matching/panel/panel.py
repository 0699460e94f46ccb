"""The panel: every rule on every generation, and how far the rules agree.

Rules, in order:

1. All rules see the same shortlists. Their results are set side by side, never merged into one number here.
2. A share is of the generations for which the rule is defined. How many are not is stated beside it.
3. Agreement of two rules is counted where both are defined: both fired, one fired, none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.matching.calibration.null_distribution import ControlScores
from shared.matching.calibration.rate_intervals import Rate, build_rate
from shared.matching.panel.comparison_block import ComparisonBlock
from shared.matching.panel.registry import load_rules
from shared.matching.panel.rule import Rule, RuleVerdict, ScoreBlock, Scores


@dataclass(frozen=True)
class RuleResult:
    """The result of one rule for G generations."""

    rule: Rule
    scores: Scores
    fired: NDArray[np.bool_]

    @property
    def defined(self) -> NDArray[np.bool_]:
        """For which generations the rule says anything."""
        return np.isfinite(self.scores.values)

    @property
    def rate(self) -> Rate | None:
        """Share of generations that fire among those for which the rule is defined; none where it is for none."""
        trials = int(self.defined.sum())
        return build_rate(int(self.fired.sum()), trials) if trials else None

    def verdict(self, at: int) -> RuleVerdict:
        """Return the rule's verdict on one generation."""
        if not self.defined[at]:
            return "undefined"
        return "fired" if self.fired[at] else "not_fired"

    def row(self, at: int) -> dict[str, Any]:
        """Return the rule's result for one generation as JSON has it; null stands for an undefined score."""
        return {
            "rule": self.rule.name,
            "verdict": self.verdict(at),
            "score": float(self.scores.values[at]) if self.defined[at] else None,
            "threshold": self.rule.threshold,
            "fires": self.rule.fires,
            "reason": self.scores.undefined[at] or None,
            "item": int(self.scores.items[at]) if self.defined[at] else None,
            "source": self.rule.source,
        }


@dataclass(frozen=True)
class Agreement:
    """How two rules go together, counted where both are defined."""

    first: str
    second: str
    both: int
    only_first: int
    only_second: int
    neither: int

    @property
    def trials(self) -> int:
        """Generations for which both rules are defined."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def share(self) -> float | None:
        """Share of generations on which the two say the same; none where they are never both defined."""
        return (self.both + self.neither) / self.trials if self.trials else None


def build_panel(control: ControlScores, rate: float, embedder: str) -> tuple[Rule, ...]:
    """Choose the rules for a model: all that are made for any embedder or for its own, with their thresholds.

    A rule that an earlier control was not scored by is left out, where the rule says that there are such.

    Args:
        control: the model's control.
        rate: chosen false-positive rate of the calibrated rules, 0..0.5.
        embedder: name of the embedder that makes the shortlists.

    Raises:
        NotFoundError: the control lacks a rule that this panel calibrates.
    """
    return tuple(
        rule.with_threshold(control.null(rule.name) if rule.threshold is None else None, rate)
        for rule in load_rules()
        if rule.applies_to(embedder) and (rule.name in control.by_rule or not rule.may_lack)
    )


def rule_names(embedder: str) -> tuple[str, ...]:
    """Return the names of the rules that `build_panel` may choose with an embedder, in its order.

    >>> "sscd" in rule_names("sscd:weights.safetensors"), "sscd" in rule_names("pixels:16")
    (True, False)
    """
    return tuple(rule.name for rule in load_rules() if rule.applies_to(embedder))


def score_control(block: ComparisonBlock, embedder: str) -> dict[str, NDArray[np.float64]]:
    """Score a control by the rules that take their threshold from it.

    Args:
        block: the control's images with their shortlists.
        embedder: name of the embedder that makes the shortlists.

    Returns:
        For each such rule the scores, float64 (B,); a rule that is undefined for all of them is left out.
    """
    rules = [rule for rule in load_rules() if rule.threshold is None and rule.applies_to(embedder)]
    scores = {rule.name: _score_blocks(rule.score, block).values for rule in rules}
    return {name: values for name, values in scores.items() if np.isfinite(values).any()}


def evaluate(rules: Sequence[Rule], block: ComparisonBlock) -> tuple[RuleResult, ...]:
    """Apply rules to generations, some at a time.

    Args:
        rules: which.
        block: any number of generations with their shortlists.

    Returns:
        A result a rule, in their order.
    """
    parts = [[rule.score(part) for rule in rules] for part in block.blocks()]
    joined = [_join([part[at] for part in parts]) for at in range(len(rules))]
    return tuple(RuleResult(rule, scores, rule.fired(scores.values)) for rule, scores in zip(rules, joined, strict=True))


def _score_blocks(score: ScoreBlock, block: ComparisonBlock) -> Scores:
    return _join([score(part) for part in block.blocks()])


def build_agreement(outcomes: Sequence[RuleResult]) -> list[Agreement]:
    """Count for each pair of rules how they go together."""
    return [_agreement(first, second) for first, second in combinations(outcomes, 2)]


def _agreement(first: RuleResult, second: RuleResult) -> Agreement:
    both_defined = first.defined & second.defined
    first_fired, second_fired = first.fired[both_defined], second.fired[both_defined]
    return Agreement(
        first.rule.name,
        second.rule.name,
        both=int((first_fired & second_fired).sum()),
        only_first=int((first_fired & ~second_fired).sum()),
        only_second=int((~first_fired & second_fired).sum()),
        neither=int((~first_fired & ~second_fired).sum()),
    )


def _join(parts: Sequence[Scores]) -> Scores:
    if not parts:
        return Scores(np.empty(0), np.empty(0, dtype=np.int64), ())
    return Scores(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.items for part in parts]),
        tuple(reason for part in parts for reason in part.undefined),
    )
