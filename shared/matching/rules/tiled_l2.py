"""The worst of 16 tiles: a copy agrees everywhere, not only in the background.

Source: Carlini et al. 2023, "Extracting Training Data from Diffusion Models", section 4.2: the largest root mean square
difference over a grid of 16 tiles, on the scale 0..1; a pair within 0.15 counts as the same picture.
"""

from shared.matching.rules.evidence import Evidence
from shared.matching.rules.rule import Rule, Scores, smallest

# Carlini et al. 2023, section 4.2: δ.
THRESHOLD = 0.15


def _score(evidence: Evidence) -> Scores:
    return smallest(evidence.distances.worst_tile, evidence.shortlists)


TILED_L2 = Rule(
    name="tiled-l2",
    title="root mean square difference of the tile that differs most, 4 × 4 grid",
    source="Carlini et al. 2023, section 4.2",
    threshold=THRESHOLD,
    fires="at_most",
    score=_score,
)
