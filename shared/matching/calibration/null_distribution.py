"""The null distribution: how similar real images that were never trained on come to the training set.

Rules, in order:

1. The control goes through the pipeline of a generation: same views, same embedder, same number of neighbours.
2. The p-value of a score s is (1 + #{control ≥ s}) ÷ (n + 1). It is exact for exchangeable scores and never zero
   (Phipson and Smyth 2010).
3. A match fires where p ≤ the chosen rate. No control of n images can attain a rate below 1 ÷ (n + 1). Where the chosen rate
   is smaller, the smallest attainable one is used, and the answer says so.
4. Whether the stated rate is kept is measured, not assumed: `cross_fit` judges each half of the control by the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.canonical import canonical_json, sha256_hex
from shared.errors import InputError, NotFoundError
from shared.matching.calibration.rate_intervals import Rate, build_rate


def threshold_rank(rate: float, size: int) -> int:
    """Return which of a control's scores, counted from the highest, is the threshold at a chosen rate; at least 1.

    >>> threshold_rank(0.001, 3), threshold_rank(0.02, 999)
    (1, 20)
    """
    return max(int(rate * (size + 1) + 1e-9), 1)


@dataclass(frozen=True)
class NullDistribution:
    """Best scores of a control by one rule.

    Args:
        scores: best similarity of each control image to the training set; finite, at least two.
    """

    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse scores that make no distribution."""
        if len(self.scores) < 2 or not np.all(np.isfinite(self.scores)):
            raise InputError(f"a control needs at least two finite scores, got {len(self.scores)}")

    @cached_property
    def _sorted(self) -> NDArray[np.float64]:
        return np.sort(np.asarray(self.scores, dtype=np.float64))

    @property
    def size(self) -> int:
        """Number of control images."""
        return len(self.scores)

    def p_values(self, scores: Sequence[float] | NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Compute p-values.

        Args:
            scores: best similarities, any shape.

        Returns:
            p-values in 1/(n+1) .. 1, same shape.

        >>> NullDistribution((0.1, 0.2, 0.3)).p_values([0.25, 0.9]).tolist()
        [0.5, 0.25]
        """
        as_high = self.size - np.searchsorted(self._sorted, np.asarray(scores, dtype=np.float64), side="left")
        return np.asarray((1 + as_high) / (self.size + 1), dtype=np.float64)

    def attained_rate(self, rate: float) -> float:
        """Return the false-positive rate that is used for a chosen one: the largest attainable rate not above it, or else the
        smallest attainable rate.

        >>> NullDistribution((0.1, 0.2, 0.3)).attained_rate(0.001)
        0.25
        """
        return threshold_rank(rate, self.size) / (self.size + 1)

    def threshold(self, rate: float) -> float:
        """Return the control score that a match must exceed to fire at a chosen rate.

        >>> NullDistribution((0.1, 0.2, 0.3)).threshold(0.001)
        0.3
        """
        return float(self._sorted[self.size - threshold_rank(rate, self.size)])

    def rate_above(self, threshold: float) -> float:
        """Return the false-positive rate of a given threshold: how often an unrelated picture's score exceeds it.

        >>> NullDistribution((0.1, 0.2, 0.3)).rate_above(0.25)
        0.5
        """
        return (1 + self.size - int(np.searchsorted(self._sorted, threshold, side="right"))) / (self.size + 1)

    def fires(self, scores: Sequence[float] | NDArray[np.floating[Any]], rate: float) -> NDArray[np.bool_]:
        """Say for each score whether it fires at a chosen rate: strictly above the threshold."""
        return np.asarray(np.asarray(scores, dtype=np.float64) > self.threshold(rate))


@dataclass(frozen=True)
class ControlScores:
    """The scores of a control by every calibrated rule, and the pipeline that they depend on.

    Args:
        by_rule: for each rule, the best score of each control image.
        pipeline: view recipe, embedder, neighbours, manifests; goes into the digest.
    """

    by_rule: Mapping[str, tuple[float, ...]]
    pipeline: Mapping[str, Any]

    @cached_property
    def sha256(self) -> str:
        """Digest of pipeline and scores; audits and decisions cite it."""
        scores = {rule: list(values) for rule, values in self.by_rule.items()}
        return sha256_hex(canonical_json({"pipeline": dict(self.pipeline), "scores": scores}))

    def null(self, rule: str) -> NullDistribution:
        """Return the null distribution of a rule.

        Raises:
            NotFoundError: the control was not measured by it.
        """
        if rule not in self.by_rule:
            raise NotFoundError(
                f"the control has scores by {sorted(self.by_rule)}, not by {rule!r}", code="rule_not_calibrated"
            )
        return NullDistribution(self.by_rule[rule])


@dataclass(frozen=True)
class CrossFit:
    """The control judged by itself: its rate of fires, beside the rate that the halves could attain."""

    rate: Rate
    stated_rate: float


def cross_fit(null: NullDistribution, rate: float) -> CrossFit:
    """Measure the false-positive rate on control images that took no part in setting the threshold.

    The control is halved (even and odd positions); each half is judged by a threshold set on the other.

    Args:
        null: at least four scores.
        rate: the chosen false-positive rate.

    Raises:
        InputError: fewer than four control images.
    """
    if null.size < 4:
        raise InputError(f"cross-fitting needs at least four control images, got {null.size}")
    halves = [NullDistribution(null.scores[start::2]) for start in (0, 1)]
    fires = [halves[1 - half].fires(halves[half].scores, rate).sum() for half in (0, 1)]
    # Each half's threshold attains its own rate; the stated one is their mean, weighted by the images judged.
    stated_rate = sum(halves[1 - half].attained_rate(rate) * halves[half].size for half in (0, 1)) / null.size
    return CrossFit(build_rate(int(sum(fires)), null.size), stated_rate)
