"""The kinds of a match, a closed set, and what each says in plain words.

What a kind is told from is `shared.matching.copy_detection.kinds`' word; docs/methods/decision.md has the figures.
"""

from collections.abc import Mapping

from shared.ledger.body_fields import MatchKind

# Where how the two pictures lie on each other was not measured, or does not tell.
UNSPECIFIED: MatchKind = "unspecified"

MEANINGS: Mapping[MatchKind, str] = {
    "whole": "the whole picture as it is, at most blurred, grained, recompressed, or lighter or darker",
    "transformed": "the picture mirrored, turned, cropped or scaled",
    "part": "a part of the picture: something else covers or replaces the rest, or less than half of it is shown",
    "recoloured": "the same drawing in other colours",
    "unspecified": "what was measured does not tell",
}
