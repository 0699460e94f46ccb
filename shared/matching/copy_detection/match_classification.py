"""The kind of a match: the whole picture, transformed, only a part of it, in other colours, or unspecified.

Rules, in order; the first that holds gives the kind (`shared.ledger.body_fields.MatchKind`), by the measurement that it names:

1. `unspecified` where the drawings agree by less than `LEAST_AGREEMENT`: the pair is too little alike to say more.
2. `part` where at least `PART_CONTRADICTED` of what is drawn within the item is something else, or less than `LEAST_SHOWN` of
   the item is shown.
3. Colours differ where at least `RECOLOURED_SHARE` of the windows that agree in drawing have other chroma. The kind is then
   `recoloured` if next to nothing contradicts, else `unspecified`: coloured lettering laid over a picture looks the same.
4. `transformed` where the item is mirrored, turned by any angle, cropped or scaled.
5. `whole` otherwise.

The bounds were set on the tuning half of the pictures of docs/methods/quality.md. docs/methods/decision.md says how well they
tell the kinds apart on the other half.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.ledger.body_fields import UNSPECIFIED, MatchKind
from shared.matching.copy_detection.colour_differences import measure_colours
from shared.matching.copy_detection.detector import CopyDetector, Detections
from shared.matching.copy_detection.orientations import turn_views

# Blurred, grained and recompressed copies agree by 0.8 and more, those of which up to a quarter is painted over by 0.5 (19 of
# 20 each). So does one unrelated picture in five: a kind says how, never whether.
LEAST_AGREEMENT = 0.5
# Copies that nothing was laid over are contradicted in 0.00 to 0.04 of what is drawn, covered ones in 0.10 and more.
PART_CONTRADICTED, CLEAN_CONTRADICTED = 0.05, 0.02
LEAST_SHOWN = 0.5
# A quarter of a register's variants differ in fewer windows than this; JPEG of quality 30 alters as many in 1 of 15 copies.
RECOLOURED_SHARE = 0.04
# A copy that was not moved lies within 1° and 6 % of its area of where it was; the least crop judged keeps 81 % of the area.
MOST_TURN_DEGREES, MOST_HIDDEN, MOST_SHRUNK = 2.0, 0.1, 1.05
# Levels by which an item has to differ from itself mirrored or turned for that to mean anything.
LEAST_ASYMMETRY = 1.0

_HALF_SIDE_PX = 32

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class MatchMeasurements:
    """The measurements that the kind of a match rests on.

    Attributes:
        agreement: of the drawings after alignment, by content, -1..1.
        contradicted: share of what is drawn within the item that is something else, 0..1.
        recoloured: share of the windows that agree in drawing and differ in colour, 0..1.
        shown: share of the item's area that the generation shows, 0..1.
        turned_degrees: either way, 0..180.
        scale: size of the item in the generation; 1 as it was.
        mirrored: left to right, before it is turned; false for an item that looks the same so.
    """

    agreement: float
    contradicted: float
    recoloured: float
    shown: float
    turned_degrees: float
    scale: float
    mirrored: bool


def measure_matches(generations: Pixels, items: Pixels, detections: Detections) -> list[MatchMeasurements | None]:
    """Measure matches for `classify`.

    Args:
        generations: uint8 (g, 3, 64, 64).
        items: uint8 (n, 3, 64, 64), the corpus that `found` numbers; only the matched ones are read.
        detections: what the detector found for these generations.

    Returns:
        The figures of each match; None for a generation without a candidate.
    """
    figures: list[MatchMeasurements | None] = []
    for row, item_row in enumerate(detections.items.tolist()):
        if item_row < 0:
            figures.append(None)
            continue
        item, placement = np.ascontiguousarray(items[item_row]), detections.placements[row]
        orientation = int(detections.orientations[row])
        # An item that looks the same turned or mirrored is shown neither.
        shown_as = orientation if _asymmetry(item, orientation) >= LEAST_ASYMMETRY else 0
        figures.append(
            MatchMeasurements(
                agreement=round(float(detections.evidence.agreement[row]), 3),
                contradicted=round(float(detections.evidence.contradicted[row]), 3),
                recoloured=round(
                    measure_colours(generations[row], item, orientation, placement, detections.evidence.map[row]), 3
                ),
                shown=round(share_shown(placement), 3),
                turned_degrees=round(measure_turn(shown_as, placement), 1),
                scale=round(1 / float(np.hypot(placement[0], placement[1])), 3),
                mirrored=bool(shown_as & 1),
            )
        )
    return figures


def measure_pair(detector: CopyDetector, generation: Pixels, item: int) -> MatchMeasurements | None:
    """Lay one item over a generation, whether the detector would choose it or not, and measure the match.

    Args:
        detector: with the corpus.
        generation: uint8 (3, 64, 64).
        item: row of the corpus.
    """
    alone = CopyDetector.build(np.array(detector.views[item : item + 1]), detector.descriptor, detector.fusion)
    return measure_matches(generation[None], alone.views, alone.detect(generation[None]))[0]


def classify(figures: MatchMeasurements) -> MatchKind:
    """Return the kind of a match, by the rules above.

    >>> measured = {"agreement": 0.97, "contradicted": 0.0, "recoloured": 0.0, "turned_degrees": 0.2, "scale": 1.0}
    >>> shown_and_mirrored = ((1, False), (1, True), (0.4, True))
    >>> [classify(MatchMeasurements(**measured, shown=shown, mirrored=mirrored)) for shown, mirrored in shown_and_mirrored]
    ['whole', 'transformed', 'part']
    """
    if figures.agreement < LEAST_AGREEMENT:
        return UNSPECIFIED
    if figures.contradicted >= PART_CONTRADICTED or figures.shown < LEAST_SHOWN:
        return "part"
    if figures.recoloured >= RECOLOURED_SHARE:
        return "recoloured" if figures.contradicted < CLEAN_CONTRADICTED else UNSPECIFIED
    cropped, shrunk = figures.shown < 1 - MOST_HIDDEN, figures.scale < 1 / MOST_SHRUNK
    if figures.mirrored or cropped or shrunk or figures.turned_degrees > MOST_TURN_DEGREES:
        return "transformed"
    return "whole"


def share_shown(placement: NDArray[np.float64]) -> float:
    """Return the share of an item's area that lies within the generation.

    Args:
        placement: (6,), of `alignment`, rule 1.

    >>> share_shown(np.array([0.5, 0, 0, 0, 1, 0])), share_shown(np.array([1, 0, 32, 0, 1, 0]))
    (0.25, 0.5)
    """
    a, b, shift_x, shift_y = placement[:4]
    down, across = (np.mgrid[0:64, 0:64] + 0.5 - _HALF_SIDE_PX).astype(np.float64)
    u, v, zoom2 = across - shift_x, down - shift_y, a * a + b * b
    x, y = (a * u + b * v) / zoom2, (a * v - b * u) / zoom2
    return float(((np.abs(x) <= _HALF_SIDE_PX) & (np.abs(y) <= _HALF_SIDE_PX)).mean())


def measure_turn(orientation: int, placement: NDArray[np.float64]) -> float:
    """Return by how many degrees the generation shows an item turned, either way, 0..180.

    Args:
        orientation: in which the generation is read, 0..7.
        placement: (6,), of `alignment`, rule 1.

    >>> measure_turn(0, np.array([1, 0, 0, 0, 1, 0])), measure_turn(2, np.array([1, 0, 0, 0, 1, 0]))
    (0.0, 90.0)
    """
    a, b = placement[:2]
    turns, is_mirrored = orientation >> 1, orientation & 1
    # Positions run downwards: a quarter against the clock is -90°. What is mirrored afterwards turns the other way.
    degrees = float(np.degrees(np.arctan2(b, a))) + (90 if is_mirrored else -90) * turns
    return abs((degrees + 180) % 360 - 180)


def _asymmetry(item: Pixels, orientation: int) -> float:
    """Return by how many levels an item differs from itself in another orientation."""
    return float(np.abs(item.astype(np.int16) - turn_views(item, orientation).astype(np.int16)).mean())
