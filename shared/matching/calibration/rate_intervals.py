"""Rates with their confidence intervals: no rate is shown without one.

Wilson's score interval is for display. Clopper and Pearson's one-sided bound is for statements whose coverage must be
guaranteed; with zero hits it is stated as well. Both are computed by scipy.
"""

from dataclasses import asdict, dataclass

from scipy.stats import beta, binomtest

from shared.errors import InputError


@dataclass(frozen=True)
class Rate:
    """A count out of a number of trials, with a 95 % interval (Wilson) of the rate."""

    hits: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The rate, hits ÷ trials, 0..1."""
        return self.hits / self.trials


def build_rate(hits: int, trials: int, confidence: float = 0.95) -> Rate:
    """Build a rate with its Wilson score interval (Wilson 1927).

    Args:
        hits: 0..trials.
        trials: at least 1.
        confidence: 0..1, of the two-sided interval.

    Raises:
        InputError: no trials, or more hits than trials.

    >>> build_rate(5, 10).high > 0.7
    True
    """
    if trials < 1 or not 0 <= hits <= trials:
        raise InputError(f"expected 0 ≤ hits ≤ trials and at least one trial, got {hits} of {trials}")
    interval = binomtest(hits, trials).proportion_ci(confidence_level=confidence, method="wilson")
    return Rate(hits, trials, float(interval.low), float(interval.high))


def rate_json(rate: Rate) -> dict[str, float]:
    """Spell a rate: hits, trials, value and 95 % interval.

    >>> rate_json(build_rate(1, 4))["value"]
    0.25
    """
    return asdict(rate) | {"value": rate.value}


def upper_bound(hits: int, trials: int, confidence: float = 0.95) -> float:
    """One-sided exact upper bound of a rate (Clopper and Pearson 1934); with zero hits it is near 3 / trials.

    Raises:
        InputError: no trials, or more hits than trials.

    >>> round(upper_bound(0, 100), 4)
    0.0295
    """
    if trials < 1 or not 0 <= hits <= trials:
        raise InputError(f"expected 0 ≤ hits ≤ trials and at least one trial, got {hits} of {trials}")
    return 1.0 if hits == trials else float(beta.ppf(confidence, hits + 1, trials - hits))
