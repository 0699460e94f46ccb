"""The fused rule: all evidence for and against a copy of an item, aligned and weighed, above what the control reaches.

It finds copies that were cropped, mirrored, turned, recompressed or covered in part, where the best SSIM does not.
docs/methods/quality.md measures how well. Its threshold comes from the model's own control.
"""

from shared.matching.copy_detection.fusion import load_fusion
from shared.matching.panel.comparison_block import ComparisonBlock
from shared.matching.panel.rule import RuleDefinition, Scores, undefined_for_all


def _score(block: ComparisonBlock) -> Scores:
    copies = block.copies
    if copies is None:
        return undefined_for_all(len(block.views), "no copy detector was asked")
    return Scores(*copies.as_rule_scores)


RULE = RuleDefinition(
    name="fused",
    title="evidence for a copy after alignment, against the control",
    source="docs/methods/quality.md; threshold: control of this model",
    fires="above",
    score=_score,
    position=20,
    may_decide=True,
    score_range=load_fusion().score_range,
)
