"""Cosine of learned embeddings: for embedders that were made to tell copies, or that are in use as such.

The pixel descriptor has no published threshold and is not a rule; it only makes the shortlist.

Source: Pizzi et al. 2022 (SSCD) and Somepalli et al. 2023, "Diffusion Art or Digital Forgery?", where pairs with an SSCD
cosine of at least 0.75 were found to be copies by eye. For CLIP no threshold of copies is published: the rule is then
calibrated on the control, as SSIM is.
"""

from shared.matching.null import NullDistribution
from shared.matching.rules.evidence import Evidence
from shared.matching.rules.rule import Rule, Scores, smallest

# The operating point at which Pizzi et al. 2022 report 90 % precision.
SSCD_THRESHOLD = 0.75


def sscd() -> Rule:
    """Build the rule for shortlists made with an SSCD embedder."""
    return Rule(
        name="sscd",
        title="cosine of the copy-detection embeddings",
        source="Pizzi et al. 2022; Somepalli et al. 2023",
        threshold=SSCD_THRESHOLD,
        fires="at_least",
        score=_score,
    )


def calibrated_clip(control: NullDistribution, rate: float) -> Rule:
    """Build the rule for shortlists made with a CLIP embedder.

    Args:
        control: best cosine of each control image.
        rate: chosen false-positive rate, 0..0.5.
    """
    return Rule(
        name="clip",
        title="cosine of the CLIP embeddings, against the control",
        source="Radford et al. 2021; threshold: control of this model",
        threshold=control.threshold(rate),
        fires="above",
        score=_score,
    )


def _score(evidence: Evidence) -> Scores:
    nearest = smallest(-evidence.cosines, evidence.shortlists)
    return Scores(-nearest.values, nearest.items, nearest.undefined)
