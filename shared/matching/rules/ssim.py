"""The paper's rule: the best SSIM among the nearest training items, above what the control reaches."""

from shared.matching.null import NullDistribution
from shared.matching.rules.evidence import Evidence
from shared.matching.rules.rule import Rule, Scores


def calibrated_ssim(null: NullDistribution, rate: float) -> Rule:
    """Build the rule for one model's control.

    Args:
        null: best SSIM of each control image.
        rate: chosen false-positive rate, 0..0.5.
    """
    return Rule(
        name="ssim",
        title="best SSIM among the nearest training items, against the control",
        source="Wang et al. 2004; threshold: control of this model",
        threshold=null.threshold(rate),
        fires="above",
        score=_score,
    )


def _score(evidence: Evidence) -> Scores:
    return Scores(evidence.best_ssim, evidence.best_item, ("",) * len(evidence.best_ssim))
