"""The fused rule: all evidence for and against a copy of an item, aligned and weighed, above what the control reaches.

It finds copies that were cropped, mirrored, turned, recompressed or covered in part, where the best SSIM does not; how well
is measured in docs/methods/quality.md. Its threshold is the model's own control's.
"""

import numpy as np

from shared.matching.null import NullDistribution
from shared.matching.rules.evidence import Evidence
from shared.matching.rules.rule import NO_ITEM, Rule, Scores, undefined_for_all


def calibrated_fused(null: NullDistribution, rate: float) -> Rule:
    """Build the rule for one model's control.

    Args:
        null: fused score of each control image.
        rate: chosen false-positive rate, 0..0.5.
    """
    return Rule(
        name="fused",
        title="evidence for a copy after alignment, against the control",
        source="docs/methods/quality.md; threshold: control of this model",
        threshold=null.threshold(rate),
        fires="above",
        score=_score,
    )


def _score(evidence: Evidence) -> Scores:
    copies = evidence.copies
    if copies is None:
        return undefined_for_all(len(evidence.views), "no copy detector was asked")
    found = copies.items >= 0
    return Scores(
        np.where(found, copies.scores, np.nan),
        np.where(found, copies.items, NO_ITEM),
        tuple("" if one else "no candidate was found" for one in found),
    )
