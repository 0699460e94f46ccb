"""A rule of the panel: one published way to say that a generation is a copy.

Rules of the panel, in order:

1. A rule scores a generation against its shortlist and names the item that the score belongs to.
2. It says fired, not fired, or undefined with the reason; where its authors' definition does not apply it is undefined,
   never "not fired".
3. Its threshold is its authors' or, where it says so, calibrated on the control; the source stands beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.matching.rules.evidence import Evidence

Verdict = Literal["fired", "not_fired", "undefined"]
NO_ITEM = -1


@dataclass(frozen=True)
class Scores:
    """What a rule found for B generations.

    Attributes:
        values: float64 (B,), NaN where undefined.
        items: int64 (B,), row of the training set that the score belongs to; -1 where undefined.
        undefined: why, for each generation; empty where the score is defined.
    """

    values: NDArray[np.float64]
    items: NDArray[np.int64]
    undefined: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """One rule: how it scores, and from where on it fires.

    Attributes:
        name: short and stable; used in answers, reports and policies.
        title: what it measures, in words.
        source: where it is published.
        threshold: score from which it fires.
        fires: whether small or large scores fire; `above` and `below` are strict, `at_most` and `at_least` are not.
        score: computes the scores of a block of generations.
    """

    name: str
    title: str
    source: str
    threshold: float
    fires: Literal["above", "below", "at_most", "at_least"]
    score: Callable[[Evidence], Scores]

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
