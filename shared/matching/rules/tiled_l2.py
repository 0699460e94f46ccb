"""The worst of 16 tiles: a copy agrees everywhere, not only in the background.

Source: Carlini et al. 2023, "Extracting Training Data from Diffusion Models", section 4.2: the largest root mean square
difference over a grid of 16 tiles, on the scale 0..1; a pair within 0.15 counts as the same picture.
"""

from shared.matching.panel.comparison_block import ComparisonBlock
from shared.matching.panel.rule import RuleDefinition, Scores, smallest

# Carlini et al. 2023, section 4.2: δ.
THRESHOLD = 0.15


def _score(block: ComparisonBlock) -> Scores:
    return smallest(block.distances.worst_tile, block.shortlists)


RULE = RuleDefinition(
    name="tiled-l2",
    title="root mean square difference of the tile that differs most, 4 × 4 grid",
    source="Carlini et al. 2023, section 4.2",
    threshold=THRESHOLD,
    fires="at_most",
    score=_score,
    position=50,
)
