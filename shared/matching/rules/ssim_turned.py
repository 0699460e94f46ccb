"""The paper's rule over all eight orientations: the best SSIM of a generation that may be turned or flipped."""

from shared.matching.panel.comparison_block import ComparisonBlock
from shared.matching.panel.rule import RuleDefinition, Scores, undefined_for_all


def _score(block: ComparisonBlock) -> Scores:
    if block.turned is None:
        return undefined_for_all(len(block.views), "the control was compared upright only")
    return Scores(block.turned.scores, block.turned.items, ("",) * len(block.turned.scores))


RULE = RuleDefinition(
    name="ssim-turned",
    title="best SSIM over the eight orientations, against the control",
    source="Wang et al. 2004; orientations and threshold: docs/methods/rules.md",
    fires="above",
    score=_score,
    position=11,
    may_decide=True,
    may_lack=True,
    score_range=(-1.0, 1.0),  # Wang et al. 2004, section III.B
)
