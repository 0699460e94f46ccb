"""PDQ: perceptual hashes of 256 bits that differ in at most 31.

Pictures with little structure hash to noise. PDQ states a quality for each hash, and below its authors' floor the rule is
undefined. Training views below the floor are left out of the comparison.

PDQ looks at 64 × 64 pixels. Smaller views are enlarged to that, so their finest bits follow from rounding, and smooth pictures
then miss their own copies with one level of noise (the positive control of an audit, docs/methods/controls.md). For them the
rule is undefined too.

Source: Facebook 2019, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm".
"""

import numpy as np

from shared.matching.panel.comparison_block import ComparisonBlock
from shared.matching.panel.rule import NO_ITEM, RuleDefinition, Scores, undefined_for_all
from shared.vision.perceptual_hash import BITS, MATCH_DISTANCE, MIN_QUALITY

# PDQ, hashing.pdf, section 4: the picture is reduced to 64 × 64 before it is hashed.
MIN_SIDE_PX = 64


def _score(block: ComparisonBlock) -> Scores:
    if min(block.views.shape[2:]) < MIN_SIDE_PX:
        return undefined_for_all(len(block.views), f"views of less than {MIN_SIDE_PX} px are smaller than what PDQ looks at")
    usable = block.training.hashes.defined[block.shortlists]
    distances = np.where(usable, block.pdq_distances, BITS + 1)
    best = distances.argmin(axis=1)
    rows = np.arange(len(distances))
    clear = block.hashes.defined
    defined = clear & usable.any(axis=1)
    return Scores(
        np.where(defined, distances[rows, best].astype(np.float64), np.nan),
        np.where(defined, block.shortlists[rows, best], NO_ITEM),
        tuple(_reason(bool(is_clear), bool(is_defined)) for is_clear, is_defined in zip(clear, defined, strict=True)),
    )


def _reason(generation_is_clear: bool, defined: bool) -> str:
    if defined:
        return ""
    what = "every training image near it" if generation_is_clear else "the generation"
    return f"{what} has too little structure for a perceptual hash (quality below {MIN_QUALITY})"


RULE = RuleDefinition(
    name="pdq",
    title="bits by which the perceptual hashes differ, of 256",
    source="Facebook 2019, PDQ",
    threshold=float(MATCH_DISTANCE),
    fires="at_most",
    score=_score,
    position=60,
)
