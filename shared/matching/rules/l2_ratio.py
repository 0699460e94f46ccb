"""Nearest against second nearest: a copy is much nearer to one training image than to any other.

The second distance is taken outside the duplicate cluster of the first; otherwise two copies of one picture in the training
set would hide each other. With a single cluster there is no second distance, and the rule is undefined.

Source: Yoon et al. 2023, "Diffusion Probabilistic Models Generalize when They Fail to Memorize": memorised where
d1 / d2 < 1/3.
"""

import numpy as np

from shared.matching.panel.comparison_block import ComparisonBlock
from shared.matching.panel.rule import NO_ITEM, RuleDefinition, Scores

# Yoon et al. 2023, section 3.
THRESHOLD = 1 / 3


def _score(block: ComparisonBlock) -> Scores:
    distances, shortlists = block.distances.whole, block.shortlists
    nearest = distances.argmin(axis=1)
    rows = np.arange(len(distances))
    clusters = block.training.clusters.labels[shortlists]
    foreign = clusters != clusters[rows, nearest][:, None]
    second = np.where(foreign, distances, np.inf).min(axis=1)
    defined = np.isfinite(second) & (second > 0)
    values = np.full(len(distances), np.nan)
    values[defined] = distances[rows, nearest][defined] / second[defined]
    return Scores(
        values,
        np.where(defined, shortlists[rows, nearest], NO_ITEM),
        tuple(
            "" if is_defined else "no second training image outside the duplicates of the nearest" for is_defined in defined
        ),
    )


RULE = RuleDefinition(
    name="l2-ratio",
    title="distance to the nearest training image ÷ distance to the second nearest",
    source="Yoon et al. 2023",
    threshold=THRESHOLD,
    fires="below",
    score=_score,
    position=30,
)
