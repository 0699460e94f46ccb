"""The rule of works: a registered work, whole or in part, anywhere in the picture, above what the control reaches.

Pictures are compared whole, at their own resolution and aspect ratio: local features, the plane map that they agree on, and
the windows that agree under it, added up with the evidence of the fused rule. docs/methods/whole-picture.md measures how well.
Its threshold comes from the model's own control.
"""

from shared.matching.panel.comparison_block import ComparisonBlock
from shared.matching.panel.rule import RuleDefinition, Scores, undefined_for_all
from shared.matching.whole_picture.evidence import load_picture_fusion


def _score(block: ComparisonBlock) -> Scores:
    if block.works is None:
        return undefined_for_all(len(block.views), "whole pictures were not compared")
    return Scores(*block.works.as_rule_scores)


RULE = RuleDefinition(
    name="works",
    title="a registered work, whole or in part, anywhere in the picture, against the control",
    source="docs/methods/whole-picture.md; threshold: control of this model",
    fires="above",
    score=_score,
    position=15,
    may_decide=True,
    may_lack=True,
    score_range=load_picture_fusion().score_range,
)
