"""The works that a generation shows: looked for in the whole picture, and named with their places.

Rules, in order:

1. They are looked for where the policy decides by the rule of works.
2. Those that fire are named, likeliest first; where none does, the likeliest one. What lies under a work that is named already
   is another copy of the same, and is left out.
3. The kind of a work is told by its place: `part` where less than half of it shows, or something else is drawn within; `whole`
   where all of it fills the generation as it stands; `transformed` otherwise; `unspecified` where little agrees.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from services.output_gate.gate import WORKS, Gate, ReadyModel
from services.output_gate.results.schemas import KindFigures, PlacedWork
from shared.ledger.body_fields import UNSPECIFIED, MatchKind
from shared.matching.whole_picture.detector import PictureDetections, PictureMatch
from shared.matching.whole_picture.overlay import Floats, Overlay, measure_overlap

# Rule 2: of the smaller region.
_SAME_PLACE = 0.5
# Rule 3.
_LEAST_AGREEMENT, _PART_SHOWN, _PART_CONTRADICTED = 0.5, 0.5, 0.15
_WHOLE_SHARE, _MOST_TURN_DEGREES = 0.9, 2.0


def look_for_works(ready: ReadyModel, wholes: Sequence[Image], rows: NDArray[np.int64]) -> list[PictureDetections] | None:
    """Look for works in whole pictures; None where the policy does not ask for it.

    Args:
        ready: the model, with its corpus.
        wholes: the pictures, at comparison size.
        rows: int64 (G, K), rows of the corpus that the embedding found for each, nearest first.
    """
    works = ready.corpus.works
    return None if works is None else works.detect_many(wholes.__getitem__, rows)


def name_works(gate: Gate, ready: ReadyModel, shown: PictureDetections, looks: int) -> tuple[PlacedWork, ...]:
    """Name the works that a picture shows (rule 2)."""
    rules, null = len(gate.content.deciding_rules), ready.scores.null(WORKS)
    threshold = gate.content.flag_bound.divided_by(rules).per_look(looks).threshold(null)
    kept: list[PictureMatch] = []
    for match in shown.matches:
        if (match.score > threshold or not kept) and not any(_is_same_place(match, other) for other in kept):
            kept.append(match)
    p_values = null.p_values([match.score for match in kept])
    return tuple(
        _describe(ready, match, min(1.0, rules * looks * float(p_value)), fired=match.score > threshold)
        for match, p_value in zip(kept, p_values, strict=True)
    )


def _is_same_place(match: PictureMatch, other: PictureMatch) -> bool:
    return measure_overlap(match.overlay.region, other.overlay.region) > _SAME_PLACE or len(match.overlay.region) == 0


def _describe(ready: ReadyModel, match: PictureMatch, p_value: float, *, fired: bool) -> PlacedWork:
    overlay = match.overlay
    to_generation, to_item = np.diag([*(1 / overlay.size), 1.0]), np.diag([*overlay.item_size, 1.0])
    placement = to_generation @ np.vstack([match.affine, [0, 0, 1]]) @ to_item
    return PlacedWork(
        item=ready.corpus.item_ids[match.item],
        cluster=ready.corpus.cluster_ids(match.item),
        fired=fired,
        score=match.score,
        p_value=p_value,
        kind=classify_work(overlay, match.affine),
        region=[(round(float(x), 4), round(float(y), 4)) for x, y in np.clip((overlay.region + 0.5) / overlay.size, 0, 1)],
        share_of_generation=round(overlay.share_of_generation, 4),
        share_of_item=round(overlay.share_of_item, 4),
        agreement=round(match.evidence.agreement, 3),
        features=match.geometry.inliers if match.geometry else 0,
        placement=[round(float(value), 5) for value in placement[:2].ravel()],
    )


def measure_kind(match: PictureMatch, of_view: KindFigures | None) -> KindFigures:
    """Return what the kind of a work rests on; colours are measured on the view alone, where that shows it as well."""
    overlay, matrix = match.overlay, match.affine[:, :2]
    return KindFigures(
        agreement=round(overlay.agreement, 3),
        contradicted=round(overlay.contradicted, 3),
        recoloured=of_view.recoloured if of_view else 0.0,
        shown=round(overlay.share_of_item, 3),
        turned_degrees=round(_measure_turn(match.affine), 1),
        scale=round(float(np.sqrt(abs(np.linalg.det(matrix)))), 3),
        mirrored=bool(np.linalg.det(matrix) < 0),
    )


def _measure_turn(affine: Floats) -> float:
    """Return by how many degrees an item is shown turned, either way; what is mirrored is mirrored left to right before."""
    across = affine[:, 0] * np.sign(np.linalg.det(affine[:, :2]))
    return abs(float(np.degrees(np.arctan2(across[1], across[0]))))


def classify_work(overlay: Overlay, affine: Floats) -> MatchKind:
    """Return the kind of a work (rule 3)."""
    if overlay.agreement < _LEAST_AGREEMENT:
        return UNSPECIFIED
    if overlay.share_of_item < _PART_SHOWN or overlay.contradicted > _PART_CONTRADICTED:
        return "part"
    is_upright = np.linalg.det(affine[:, :2]) > 0 and _measure_turn(affine) < _MOST_TURN_DEGREES
    if is_upright and min(overlay.share_of_item, overlay.share_of_generation) > _WHOLE_SHARE:
        return "whole"
    return "transformed"
