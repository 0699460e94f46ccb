"""Which places of two pictures look alike, and the plane map that most of them agree on.

Rules, in order:

1. A place of the generation is paired with the item's most alike place, if that one is clearly nearer than the item's next
   one (Lowe's ratio of distances). The item's places at the same spot count as one: SIFT gives a place several directions.
2. A pair counts once, however many directions its places have; of several places paired with one of the item's, the most
   alike remains.
3. Each pair says by which angle and zoom the item would be shown. Only the pairs about the angle and zoom that most of them
   say go on: what is unrelated says anything.
4. The map is affine: shift, turn, zoom, stretch, shear. It is the one that most pairs agree on within `TOLERANCE_PX`
   (MAGSAC++, drawn from OpenCV's fixed seed). A map that shrinks, enlarges or stretches beyond the bounds below shows nothing.
5. A generation is read as it is and mirrored. What has more agreeing pairs remains.

Source: Lowe 2004 (rules 1 and 3); Barath et al. 2020, "MAGSAC++, a fast, reliable and accurate robust estimator" (rule 4), as
OpenCV has it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.compute.compiling import compiled
from shared.matching.whole_picture.local_features import LocalFeatures

# Rule 1, of distances.
_RATIO = 0.8
# Rule 1: places nearer than this are one spot.
_SAME_SPOT_PX = 2.0
# Rule 3: cells of 30° and a factor of two, three by three of them together, so that no pair lies on an edge.
_TURN_DEGREES, _TURNS = 30.0, 12
_MOST_OCTAVES = 6
# Rule 4, in px of the generation.
TOLERANCE_PX = 4.0
_LEAST_PAIRS = 4
_ITERATIONS, _CONFIDENCE = 500, 0.999
_LEAST_ZOOM, _MOST_ZOOM, _MOST_STRETCH = 1 / 16, 16.0, 3.0

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Bits = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class GeometricMatch:
    """How an item lies in a generation, by local features.

    Attributes:
        affine: float64 (2, 3), from the item's px to the generation's; mirrored ones have a negative determinant.
        generation_points: float32 (n, 2), the places that agree with the map.
        item_points: float32 (n, 2), their partners, in the same order.
        pairs: how many pairs there were before the map was sought.
    """

    affine: Floats
    generation_points: NDArray[np.float32]
    item_points: NDArray[np.float32]
    pairs: int

    @property
    def inliers(self) -> int:
        """How many pairs agree with the map."""
        return len(self.generation_points)

    @property
    def is_mirrored(self) -> bool:
        """Whether the item is shown mirrored."""
        return bool(np.linalg.det(self.affine[:, :2]) < 0)


@dataclass(frozen=True)
class ReadGeneration:
    """A generation's features as it is and mirrored, made ready once for all candidates."""

    plain: LocalFeatures
    mirrored: LocalFeatures

    @classmethod
    def of(cls, features: LocalFeatures) -> "ReadGeneration":
        """Read a generation in both ways."""
        return cls(features, features.mirror())


def match_geometry(generation: ReadGeneration, item: LocalFeatures) -> GeometricMatch | None:
    """Lay an item over a generation.

    Args:
        generation: its features.
        item: those of the item.

    Returns:
        The map that most pairs agree on; None where fewer than four do.
    """
    matches = [_match(features, item) for features in (generation.plain, generation.mirrored)]
    best = max((match for match in matches if match is not None), key=lambda match: match.inliers, default=None)
    if best is None or best is matches[0]:
        return best
    # Back into the generation as it is.
    width = generation.plain.width - 1
    affine = np.array([[-1.0, 0, width], [0, 1, 0]]) @ np.vstack([best.affine, [0, 0, 1]])
    points = best.generation_points * np.array([-1, 1], np.float32) + np.array([width, 0], np.float32)
    return GeometricMatch(affine, points, best.item_points, best.pairs)


def _match(generation: LocalFeatures, item: LocalFeatures) -> GeometricMatch | None:
    ours, theirs = _find_pairs(generation, item)
    if len(ours) < _LEAST_PAIRS:
        return None
    pairs, agrees = len(ours), _agree_on_turn_and_zoom(generation.places[ours], item.places[theirs])
    ours, theirs = ours[agrees], theirs[agrees]
    if len(ours) < _LEAST_PAIRS:
        return None
    source, target = item.points[theirs], generation.points[ours]
    affine, mask = cv2.estimateAffine2D(
        source, target, None, cv2.USAC_MAGSAC, TOLERANCE_PX, _ITERATIONS, _CONFIDENCE, refineIters=10
    )
    if affine is None or not _is_plausible(np.asarray(affine, np.float64)):
        return None
    kept = mask.ravel().astype(bool)
    if kept.sum() < _LEAST_PAIRS:
        return None
    return GeometricMatch(np.asarray(affine, np.float64), target[kept], source[kept], pairs)


def _find_pairs(generation: LocalFeatures, item: LocalFeatures) -> tuple[Numbers, Numbers]:
    """Return the pairs of rules 1 and 2: numbers of places of the generation and of the item."""
    if len(generation) == 0 or len(item) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    nearest, is_clear = np.empty(len(generation), np.int64), np.empty(len(generation), np.bool_)
    best = np.empty(len(generation), np.float64)
    products = generation.rows @ item.rows.T
    lengths = generation.inverse_lengths, item.inverse_lengths
    _find_nearest(products, *lengths, item.places, _SAME_SPOT_PX, _RATIO**2, nearest, is_clear, best)
    rows = np.arange(len(generation))
    ours = rows[is_clear][np.argsort(-best[is_clear], kind="stable")]
    theirs = nearest[ours]
    kept: list[int] = []
    spots: set[tuple[int, int]] = set()
    partners: set[tuple[int, int]] = set()
    for at in range(len(ours)):
        x, y = generation.points[ours[at]]
        u, v = item.points[theirs[at]]
        spot, partner = (round(float(x)), round(float(y))), (round(float(u)), round(float(v)))
        if spot not in spots and partner not in partners:
            spots.add(spot)
            partners.add(partner)
            kept.append(at)
    return ours[kept], theirs[kept]


def _agree_on_turn_and_zoom(ours: Bits, theirs: Bits) -> Flags:
    """Say which pairs of places, float32 (n, 4), lie about the turn and zoom that most of them say (rule 3)."""
    turn = ((ours[:, 3] - theirs[:, 3]) % 360 // _TURN_DEGREES).astype(np.int64) % _TURNS
    octaves = np.round(np.log2(np.maximum(ours[:, 2], 1e-3) / np.maximum(theirs[:, 2], 1e-3))).astype(np.int64)
    zoom = np.clip(octaves, -_MOST_OCTAVES, _MOST_OCTAVES) + _MOST_OCTAVES
    votes = np.zeros((_TURNS, 2 * _MOST_OCTAVES + 1), np.int64)
    np.add.at(votes, (turn, zoom), 1)
    wide = sum(np.roll(votes, step, axis=0) for step in (-1, 0, 1))
    wide = np.pad(np.asarray(wide), [(0, 0), (1, 1)])
    together = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    best_turn, best_zoom = np.unravel_index(together.argmax(), together.shape)
    near_turn = (turn - best_turn + 1) % _TURNS <= 2
    return np.asarray(near_turn & (np.abs(zoom - best_zoom) <= 1))


@compiled
def _find_nearest(
    products: Bits,
    lengths: Floats,
    item_lengths: Floats,
    places: Bits,
    spot_px: float,
    ratio: float,
    nearest: Numbers,
    is_clear: Flags,
    best: Floats,
) -> None:
    """Fill in each row's nearest column, its cosine, and whether it is clearly nearer than any at another spot (rule 1)."""
    for row in range(len(products)):
        at, largest = 0, products[row, 0] * item_lengths[0]
        for column in range(1, products.shape[1]):
            if products[row, column] * item_lengths[column] > largest:
                at, largest = column, products[row, column] * item_lengths[column]
        second = -1.0
        for column in range(products.shape[1]):
            if products[row, column] * item_lengths[column] > second and (
                abs(places[column, 0] - places[at, 0]) >= spot_px or abs(places[column, 1] - places[at, 1]) >= spot_px
            ):
                second = products[row, column] * item_lengths[column]
        nearest[row], best[row] = at, largest * lengths[row]
        # Distances of unit vectors are 2 - 2 · cosine, squared.
        is_clear[row] = 1 - best[row] < ratio * (1 - second * lengths[row])


def _is_plausible(affine: Floats) -> bool:
    if not np.isfinite(affine).all() or np.linalg.det(affine[:, :2]) <= 0:
        return False
    larger, smaller = np.linalg.svd(affine[:, :2], compute_uv=False)
    return bool(smaller >= _LEAST_ZOOM and larger <= _MOST_ZOOM and larger <= _MOST_STRETCH * smaller)
