"""The paper's rule: the best SSIM among the nearest training items, above what the control reaches."""

from shared.matching.panel.comparison_block import ComparisonBlock
from shared.matching.panel.rule import RuleDefinition, Scores


def _score(block: ComparisonBlock) -> Scores:
    return Scores(block.best_ssim, block.best_item, ("",) * len(block.best_ssim))


RULE = RuleDefinition(
    name="ssim",
    title="best SSIM among the nearest training items, against the control",
    source="Wang et al. 2004; threshold: control of this model",
    fires="above",
    score=_score,
    position=10,
    may_decide=True,
    score_range=(-1.0, 1.0),  # Wang et al. 2004, section III.B
)
