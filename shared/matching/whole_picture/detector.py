"""The works that a picture shows: candidates laid over it at its own resolution, weighed, the likeliest first.

A picture goes one way: features → candidates → geometry → overlay → score. Rules, in order:

1. Candidates are the items of which a region resembles one of the picture's (`region_index`), those that the detector of views
   (`shared.matching.copy_detection`) finds, and the nearest by the embedder. Each is laid over the picture by its local
   features; the two that are likeliest by their views also as the detector of views places them.
2. Each placement is compared with the picture window by window (`overlay`). Of one item the best-scored placement remains.
3. The score adds up evidence by weights of at least 0 (`evidence`). The same weights serve photographs and flat art.
4. A picture shows an item no better in company: what is computed for a pair depends on the pair alone.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.compute.threads import cut_evenly, in_threads, limited_cores, usable_cores
from shared.matching.copy_detection.copy_embedder import RECIPE as VIEW_RECIPE
from shared.matching.copy_detection.detector import CopyDetector
from shared.matching.copy_detection.orientations import build_matrix
from shared.matching.panel.comparison_block import ItemScores
from shared.matching.whole_picture.evidence import PictureEvidence, PictureFusion, load_picture_fusion
from shared.matching.whole_picture.examined import measure_unexamined
from shared.matching.whole_picture.feature_matching import GeometricMatch, ReadGeneration, match_geometry
from shared.matching.whole_picture.feature_store import describe_features
from shared.matching.whole_picture.local_features import ComparisonSize, LocalFeatures, extract_features
from shared.matching.whole_picture.overlay import Floats, Overlay, lay_over
from shared.matching.whole_picture.region_index import RegionIndex
from shared.vision.views import build_view

# Rule 1: items that the detector of views finds likeliest, whose placements are looked at too.
PLACED_VIEWS = 2
# Of what another search found, the likeliest that are looked at: the index of an embedder that knows copies finds the item
# among the first few or not at all.
FURTHER_CANDIDATES = 10
# Items taken from the index of regions (docs/methods/whole-picture.md has what fewer and more of them find).
REGION_CANDIDATES = 50
# Matches that are kept of a picture.
MOST_MATCHES = 8

Picture = NDArray[np.uint8]


class PictureCorpus(Protocol):
    """The items that pictures are compared with, by row; each is read when it is a candidate."""

    @property
    def size(self) -> ComparisonSize:
        """At which pictures are compared."""
        ...

    def load_features(self, row: int) -> LocalFeatures:
        """Return an item's local features."""
        ...

    def load_picture(self, row: int) -> Picture:
        """Return an item at its comparison size, uint8 (h, w, 3)."""
        ...


@dataclass(frozen=True)
class PictureMatch:
    """An item that a picture may show.

    Attributes:
        item: row of the corpus.
        score: log-odds of a copy, as the weights were fitted; a control gives it a meaning.
        evidence: what the score adds up.
        overlay: where the two agree.
        affine: float64 (2, 3), from the item's px to the picture's, both at comparison size.
        geometry: the places that agree; None where the detector of views placed the item.
    """

    item: int
    score: float
    evidence: PictureEvidence
    overlay: Overlay
    affine: Floats
    geometry: GeometricMatch | None


@dataclass(frozen=True)
class _PlacedView:
    """How the detector of views places an item: its score, the orientation of the picture, and the placement there."""

    score: float
    orientation: int
    placement: Floats

    def map_between(self, picture: Picture, item: Picture) -> Floats:
        """Return the map from the item's px to the picture's, (2, 3), both at comparison size."""
        a, b, *shift = self.placement[:4]
        sides = [min(shown.shape[:2]) / VIEW_RECIPE.resolution_px for shown in (picture, item)]
        centres = [np.array([(shown.shape[1] - 1) / 2, (shown.shape[0] - 1) / 2]) for shown in (picture, item)]
        # The placement maps the picture's view to the item's, from the centre.
        back = np.linalg.inv(np.array([[a, -b], [b, a]]) @ build_matrix(self.orientation)) * sides[0] / sides[1]
        return np.hstack([back, (centres[0] - back @ (centres[1] + np.array(shift) * sides[1]))[:, None]])


@dataclass(frozen=True)
class PictureDetections:
    """What a picture shows.

    Attributes:
        matches: the items that it may show, likeliest first.
        unexamined: share of its area in which something is drawn that was not examined (`examined`).
    """

    matches: tuple[PictureMatch, ...]
    unexamined: float


@dataclass(frozen=True)
class PictureDetector:
    """A corpus ready to be compared with.

    Args:
        corpus: features and pictures of the items.
        views: the detector of their views; numbers the items alike.
        regions: the index of the items' regions.
        fusion: the weights of the score.
    """

    corpus: PictureCorpus
    views: CopyDetector
    regions: RegionIndex
    fusion: PictureFusion

    @property
    def size(self) -> ComparisonSize:
        """At which pictures are compared."""
        return self.corpus.size

    @classmethod
    def of(
        cls, corpus: PictureCorpus, views: CopyDetector, regions: RegionIndex, fusion: PictureFusion | None = None
    ) -> "PictureDetector":
        """Make a detector with the shipped weights, or others."""
        return cls(corpus, views, regions, fusion or load_picture_fusion())

    def detect(self, picture: Image.Image, candidates: Iterable[int], limit: int = MOST_MATCHES) -> PictureDetections:
        """Find the items that a picture may show.

        Args:
            picture: upright RGB, at its comparison size.
            candidates: rows that other searches found.
            limit: matches kept.

        Returns:
            The matches, best score first; of equals the lower row first. What was neither placed by features nor likeliest by
            views is not among them.
        """
        by_view = self._place_views(build_view(picture, VIEW_RECIPE)[None])
        features, pixels = extract_features(picture), np.asarray(picture)
        generation = ReadGeneration.of(features)
        placed = sorted(by_view, key=lambda item: -by_view[item].score)[:PLACED_VIEWS]
        matches = []
        for item in sorted({*candidates, *by_view, *self.regions.find(features, REGION_CANDIDATES)}):
            geometry = match_geometry(generation, self.corpus.load_features(item))
            placement = by_view[item] if item in placed else None
            if geometry or placement:
                view_score = by_view[item].score if item in by_view else -np.inf
                matches.append(self._weigh(pixels, item, view_score, geometry, placement))
        matches.sort(key=lambda match: (-match.score, match.item))
        return PictureDetections(tuple(matches[:limit]), measure_unexamined(pixels, features))

    def detect_many(self, load: Callable[[int], Image.Image], candidates: NDArray[np.int64]) -> list[PictureDetections]:
        """Find the items that pictures may show, on all cores.

        Args:
            load: returns the picture with a number, upright RGB, any size.
            candidates: int64 (g, k), rows that another search found for each, likeliest first; the first few are looked at.
        """

        # Small parts: one picture may take ten times as long as another. Within several, no picture starts threads of its own.
        parts = cut_evenly(len(candidates), max(1, len(candidates) // 4)) if len(candidates) else []
        cores = usable_cores() if len(parts) <= 1 else 1

        def detect_part(start: int, stop: int) -> list[PictureDetections]:
            with limited_cores(cores):
                return [
                    self.detect(self.size.resize(load(at)), candidates[at, :FURTHER_CANDIDATES].tolist())
                    for at in range(start, stop)
                ]

        return [detections for part in in_threads(detect_part, parts) for detections in part]

    @property
    def digests(self) -> dict[str, Any]:
        """What scores depend on: features, the detector of views, and the weights."""
        return {
            "features": describe_features(self.size),
            "views": self.views.digests,
            "regions": f"{self.regions.descriptor.sha256} {REGION_CANDIDATES}",
            "fusion": self.fusion.sha256,
        }

    def _place_views(self, view: Picture) -> dict[int, _PlacedView]:
        """Return how the detector of views places its candidates, each as it scores best."""
        shortlist = self.views.find_candidates(view)
        evidence, placements = self.views.weigh(view, shortlist)
        by_item: dict[int, _PlacedView] = {}
        for at, (item, score) in enumerate(
            zip(shortlist.items[0].tolist(), self.views.fusion.score(evidence)[0], strict=True)
        ):
            if item >= 0 and (item not in by_item or score > by_item[item].score):
                by_item[item] = _PlacedView(score, int(shortlist.orientations[0, at]), placements[0, at])
        return by_item

    def _weigh(
        self,
        pixels: Picture,
        item: int,
        view_score: float,
        geometry: GeometricMatch | None,
        placement: _PlacedView | None,
    ) -> PictureMatch:
        """Lay an item over a picture, as features and as the detector of views place it, and keep the better-scored way."""
        theirs = self.corpus.load_picture(item)
        ways: list[tuple[Floats, GeometricMatch | None]] = [(geometry.affine, geometry)] if geometry else []
        if placement:
            ways.append((placement.map_between(pixels, theirs), None))
        matches = []
        for affine, places in ways:
            overlay = lay_over(pixels, theirs, affine) or Overlay.nothing(pixels, theirs)
            evidence = PictureEvidence.of(view_score, geometry.inliers if geometry else 0, overlay)
            matches.append(PictureMatch(item, self.fusion.score(evidence), evidence, overlay, affine, places))
        return max(matches, key=lambda match: match.score)


def best_works(found: Sequence[PictureDetections]) -> ItemScores:
    """Return score and item of the likeliest match of each picture, for the rules."""
    return ItemScores(
        np.array([shown.matches[0].score if shown.matches else -np.inf for shown in found]),
        np.array([shown.matches[0].item if shown.matches else -1 for shown in found], np.int64),
    )
