"""A rule of the panel: one published way to say that a generation is a copy.

Rules of the panel, in order:

1. A rule scores a generation against its shortlist and names the item that the score belongs to.
2. It says fired, not fired, or undefined with the reason. Where its authors' definition does not apply it is undefined, never
   "not fired".
3. Its threshold is its authors', or else comes from the model's control. The source stands beside it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.matching.calibration.null_distribution import NullDistribution
from shared.matching.panel.comparison_block import ComparisonBlock

RuleVerdict = Literal["fired", "not_fired", "undefined"]
# Whether small or large scores fire: `above` and `below` are strict, `at_most` and `at_least` are not.
Fires = Literal["above", "below", "at_most", "at_least"]
NO_ITEM = -1


@dataclass(frozen=True)
class Scores:
    """The scores of B generations by one rule.

    Attributes:
        values: float64 (B,), NaN where undefined.
        items: int64 (B,), row of the training set that the score belongs to; -1 where undefined.
        undefined: why, for each generation; empty where the score is defined.
    """

    values: NDArray[np.float64]
    items: NDArray[np.int64]
    undefined: tuple[str, ...]


ScoreBlock = Callable[[ComparisonBlock], Scores]


@dataclass(frozen=True)
class Rule:
    """A rule with its threshold: how it scores, and from where on it fires.

    Attributes:
        name: short and stable; used in answers, reports and policies.
        title: what it measures, in words.
        source: where it is published.
        threshold: score from which it fires.
        fires: whether small or large scores fire.
        score: computes the scores of a block of generations.
    """

    name: str
    title: str
    source: str
    threshold: float
    fires: Fires
    score: ScoreBlock

    def fired(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say for each score whether the rule fires; an undefined score does not."""
        with np.errstate(invalid="ignore"):
            compared = {
                "above": values > self.threshold,
                "below": values < self.threshold,
                "at_most": values <= self.threshold,
                "at_least": values >= self.threshold,
            }[self.fires]
        return np.asarray(compared & np.isfinite(values))


@dataclass(frozen=True)
class RuleDefinition:
    """What a module of `shared.matching.rules` states in its constant `RULE`.

    Attributes:
        name: the module's name, with hyphens.
        title: what it measures, in words.
        source: where it is published.
        position: the panel lists its rules in ascending order of it.
        fires: whether small or large scores fire.
        score: computes the scores of a block of generations.
        threshold: its authors'; None for the one that the model's control gives.
        embedder_kind: the kind of embedder whose shortlists it is made for; None for any.
        may_decide: whether a gate's policy may decide by it; such a rule has no threshold of its own.
        may_lack: whether there are calibrations of before the rule, which are used without it.
        score_range: the lowest score and the highest, that of an exact copy; a policy's own threshold lies between them.
    """

    name: str
    title: str
    source: str
    position: int
    fires: Fires
    score: ScoreBlock
    threshold: float | None = None
    embedder_kind: str | None = None
    may_decide: bool = False
    may_lack: bool = False
    score_range: tuple[float, float] = (-math.inf, math.inf)

    def applies_to(self, embedder: str) -> bool:
        """Say whether the rule is made for shortlists of an embedder, by its name or setting."""
        return self.embedder_kind in {None, embedder.partition(":")[0]}

    def with_threshold(self, control: NullDistribution | None, rate: float) -> Rule:
        """Return the rule with its own threshold, or the one that a control gives.

        Args:
            control: scores of the model's control by this rule; only read where the rule has no threshold of its own.
            rate: chosen false-positive rate, 0..0.5.
        """
        threshold = self.threshold if control is None or self.threshold is not None else control.threshold(rate)
        if threshold is None:
            raise ValueError(f"rule {self.name} takes its threshold from a control: expected one, got none")
        return Rule(self.name, self.title, self.source, threshold, self.fires, self.score)


def undefined_for_all(count: int, reason: str) -> Scores:
    """Build the scores of a rule that does not apply to any of `count` generations."""
    return Scores(np.full(count, np.nan), np.full(count, NO_ITEM, dtype=np.int64), (reason,) * count)


def smallest(values: NDArray[np.float64], candidates: NDArray[np.int64]) -> Scores:
    """Score by the smallest of each row; equal values go to the earlier candidate.

    Args:
        values: float64 (B, K).
        candidates: int64 (B, K).
    """
    best = values.argmin(axis=1)
    rows = np.arange(len(values))
    return Scores(values[rows, best], candidates[rows, best], ("",) * len(values))


def largest_cosine(block: ComparisonBlock) -> Scores:
    """Score by the largest cosine of the embeddings; equal values go to the earlier candidate."""
    nearest = smallest(-block.cosines, block.shortlists)
    return Scores(-nearest.values, nearest.items, nearest.undefined)
