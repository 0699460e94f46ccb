"""The panel: every rule on every generation, and how far they agree.

Rules, in order:

1. All rules see the same shortlists; what they find is set side by side and never merged into one number here.
2. A share is of the generations for which the rule is defined; how many are not is stated beside it.
3. Agreement of two rules is counted where both are defined: both fired, one fired, none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.matching.intervals import Rate, build_rate
from shared.matching.null import ControlScores
from shared.matching.rules.carlini_adaptive import CARLINI_ADAPTIVE
from shared.matching.rules.embedding_cosine import calibrated_clip, sscd
from shared.matching.rules.evidence import Evidence
from shared.matching.rules.fused import calibrated_fused
from shared.matching.rules.l2_ratio import L2_RATIO
from shared.matching.rules.pdq import PDQ
from shared.matching.rules.rule import Rule, Scores, Verdict
from shared.matching.rules.ssim import calibrated_ssim
from shared.matching.rules.tiled_l2 import TILED_L2

# The rules with thresholds of their authors; those that need a control are added by who has one.
PUBLISHED_RULES = (L2_RATIO, CARLINI_ADAPTIVE, TILED_L2, PDQ)


@dataclass(frozen=True)
class RuleOutcome:
    """What one rule found for G generations."""

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

    def verdict(self, at: int) -> Verdict:
        """Say what the rule found for one generation."""
        if not self.defined[at]:
            return "undefined"
        return "fired" if self.fired[at] else "not_fired"

    def row(self, at: int) -> dict[str, Any]:
        """Spell the rule's finding for one generation; null stands for an undefined score."""
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
    """Choose the rules for a model: SSIM and fused against its control, the published ones, those its embedder is made for.

    Args:
        control: the model's control.
        rate: chosen false-positive rate of the calibrated rules, 0..0.5.
        embedder: name of the embedder that makes the shortlists.

    Raises:
        NotFoundError: the control lacks a rule that this panel calibrates.
    """
    learned = {
        "clip": lambda: calibrated_clip(control.null("clip"), rate),
        "sscd": sscd,
    }
    own = calibrated_ssim(control.null("ssim"), rate), calibrated_fused(control.null("fused"), rate)
    return *own, *PUBLISHED_RULES, *(learned[name]() for name in _learned_rules(embedder))


def rule_names(embedder: str) -> tuple[str, ...]:
    """Return the names of the rules that `build_panel` chooses with an embedder, in its order.

    >>> rule_names("pixels:16")
    ('ssim', 'fused', 'l2-ratio', 'carlini-adaptive', 'tiled-l2', 'pdq')
    """
    return "ssim", "fused", *(rule.name for rule in PUBLISHED_RULES), *_learned_rules(embedder)


def _learned_rules(embedder: str) -> tuple[str, ...]:
    """Return the rules on embeddings that an embedder is made for."""
    kind = embedder.partition(":")[0]
    return {"open_clip": ("clip",), "sscd": ("sscd",)}.get(kind, ())


def evaluate(rules: Sequence[Rule], evidence: Evidence) -> tuple[RuleOutcome, ...]:
    """Apply rules to generations, a block at a time.

    Args:
        rules: which.
        evidence: any number of generations with their shortlists.

    Returns:
        An outcome a rule, in their order.
    """
    found: list[list[Scores]] = [[rule.score(block) for rule in rules] for block in evidence.blocks()]
    joined = [_join([block[at] for block in found]) for at in range(len(rules))]
    return tuple(RuleOutcome(rule, scores, rule.fired(scores.values)) for rule, scores in zip(rules, joined, strict=True))


def build_agreement(outcomes: Sequence[RuleOutcome]) -> list[Agreement]:
    """Count for each pair of rules how they go together."""
    return [_agreement(first, second) for first, second in combinations(outcomes, 2)]


def _agreement(first: RuleOutcome, second: RuleOutcome) -> Agreement:
    both_defined = first.defined & second.defined
    one, other = first.fired[both_defined], second.fired[both_defined]
    return Agreement(
        first.rule.name,
        second.rule.name,
        both=int((one & other).sum()),
        only_first=int((one & ~other).sum()),
        only_second=int((~one & other).sum()),
        neither=int((~one & ~other).sum()),
    )


def _join(parts: Sequence[Scores]) -> Scores:
    if not parts:
        return Scores(np.empty(0), np.empty(0, dtype=np.int64), ())
    return Scores(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.items for part in parts]),
        tuple(reason for part in parts for reason in part.undefined),
    )
