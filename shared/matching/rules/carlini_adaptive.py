"""Distance relative to the neighbourhood: a copy is far nearer to its original than to the images around it.

score = l2(x, nearest) ÷ (α · mean l2 to the 50 nearest). Plain images (a sky, a white page) are near to everything; dividing
by the neighbourhood's mean makes up for that. The rule is undefined with fewer than 50 training images to compare with.

Source: Carlini et al. 2023, "Extracting Training Data from Diffusion Models", section 5.1: n = 50, α = 0.5.
"""

import numpy as np

from shared.matching.panel.comparison_block import ComparisonBlock
from shared.matching.panel.rule import NO_ITEM, RuleDefinition, Scores, undefined_for_all

NEIGHBOURS = 50
ALPHA = 0.5
# The score is 1 where the nearest is α times as far as the neighbourhood. The authors rank by it; the line is what α says.
THRESHOLD = 1.0


def _score(block: ComparisonBlock) -> Scores:
    distances, shortlists = block.distances.whole, block.shortlists
    if distances.shape[1] < NEIGHBOURS:
        return undefined_for_all(len(distances), f"fewer than {NEIGHBOURS} training images to compare with")
    nearest = np.partition(distances, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
    mean = nearest.mean(axis=1)
    at = distances.argmin(axis=1)
    rows = np.arange(len(distances))
    defined = mean > 0
    values = np.full(len(distances), np.nan)
    values[defined] = distances[rows, at][defined] / (ALPHA * mean[defined])
    return Scores(
        values,
        np.where(defined, shortlists[rows, at], NO_ITEM),
        tuple("" if is_defined else f"all {NEIGHBOURS} nearest training images are identical to it" for is_defined in defined),
    )


RULE = RuleDefinition(
    name="carlini-adaptive",
    title="distance to the nearest training image ÷ half the mean distance to the 50 nearest",
    source="Carlini et al. 2023, section 5.1",
    threshold=THRESHOLD,
    fires="below",
    score=_score,
    position=40,
)
