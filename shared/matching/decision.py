"""The decision for one generation: clear, flag or undecided, with the figures that it rests on.

Rules, in order:

1. Whatever is missing or failed makes the outcome `undecided`, with a reason; it never makes it `clear`.
2. `flag` where the best score exceeds the control's threshold at the policy's rate; `clear` otherwise.
"""

from dataclasses import dataclass
from typing import Literal

from shared.matching.null import NullDistribution

Outcome = Literal["clear", "flag", "undecided"]


@dataclass(frozen=True)
class Decision:
    """An outcome; p-value, threshold and attained rate are there unless it is undecided."""

    outcome: Outcome
    reason: str
    score: float | None = None
    p_value: float | None = None
    threshold: float | None = None
    attained_rate: float | None = None


def decide(score: float, null: NullDistribution, rate: float) -> Decision:
    """Decide by a best score and a control.

    Args:
        score: best SSIM of the generation, −1..1.
        null: the model's control.
        rate: the policy's false-positive rate, 0..1.
    """
    fired = bool(null.fires([score], rate)[0])
    threshold = null.threshold(rate)
    return Decision(
        outcome="flag" if fired else "clear",
        reason="above_control_threshold" if fired else "within_control",
        score=score,
        p_value=float(null.p_values([score])[0]),
        threshold=threshold,
        attained_rate=null.attained_rate(rate),
    )


def undecided(reason: str) -> Decision:
    """Build the outcome for a check that could not be carried through; the reason is a stable code."""
    return Decision(outcome="undecided", reason=reason)
