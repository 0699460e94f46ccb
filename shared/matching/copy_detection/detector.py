"""The copy detector: for any generation, the registered item that it most likely copies, with the evidence.

Rules, in order:

1. It is built from the items' canonical views alone. What is computed from them (the points of the index) can be stored
   (`detector_store`). `digests` name what scores depend on: views, descriptor and fusion. Nothing is fitted on a corpus.
2. `detect` takes a shortlist by descriptor (its own, or one that a vector index found), aligns and weighs each candidate, and
   returns the best-scored one; of equals the first in the shortlist. Generations are read in all eight orientations, or in the
   first two, as calibrations were made before there were more.
3. A score has no unit. `calibrate` sends a control through the same steps; its null distribution gives p-value and threshold.
4. The same input gives the same output, with any number of threads.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.array_store import digest_rows
from shared.compute.threads import cut_evenly, in_threads, usable_cores
from shared.errors import InputError
from shared.index.coded_scan import ScannedRows
from shared.matching.calibration.null_distribution import NullDistribution
from shared.matching.copy_detection.copy_evidence import CopyEvidence, weigh
from shared.matching.copy_detection.descriptor import Descriptor, load_descriptor
from shared.matching.copy_detection.fusion import Fusion, load_fusion
from shared.matching.copy_detection.indexed_views import STARTS, build_indexed_views, verify_views
from shared.matching.copy_detection.orientations import ORIENTATIONS, turn_views
from shared.matching.copy_detection.shortlist import Shortlist, search_points
from shared.matching.copy_detection.window_sums import BLOCKS, SUMS, compare_candidates

# Generations weighed at a time: 20 candidates × 6 KB of sums each.
_BATCH = 256

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Detections:
    """The most likely item of each of g generations.

    Attributes:
        scores: float64 (g,), higher is more of a copy; -inf without a candidate.
        items: int64 (g,), the item's number; -1 without a candidate.
        orientations: int64 (g,), 0..7, in which the generation is read (`orientations`).
        placements: float64 (g, 6), how it lies in the generation (`alignment`, rule 1).
        cosines: float64 (g,), similarity of the descriptors, -1..1.
        evidence: arrays (g,), what the score adds up.
    """

    scores: NDArray[np.float64]
    items: NDArray[np.int64]
    orientations: NDArray[np.int64]
    placements: NDArray[np.float64]
    cosines: NDArray[np.float64]
    evidence: CopyEvidence

    @property
    def mirrored(self) -> NDArray[np.bool_]:
        """Whether the generation shows the item mirrored, (g,)."""
        return np.asarray(self.orientations & 1 == 1)

    @property
    def quarter_turns(self) -> NDArray[np.int64]:
        """How many quarters against the clock the generation is turned before it is mirrored and laid on the item, (g,)."""
        return self.orientations >> 1


@dataclass(frozen=True)
class CopyDetector:
    """A corpus ready to be compared with.

    Args:
        views: uint8 (n, 3, 64, 64), canonical views of the registered items; may be memory-mapped.
        points: descriptors of their indexed views, (v · n, d), one view after the other.
        descriptor: the map they were described by.
        fusion: the weights of the score.
        views_sha256: digest of the views, where it is known; else it is computed when it is asked for.
    """

    views: Pixels
    points: ScannedRows
    descriptor: Descriptor
    fusion: Fusion
    views_sha256: str | None = None

    @classmethod
    def build(cls, views: Pixels, descriptor: Descriptor | None = None, fusion: Fusion | None = None) -> Self:
        """Describe a corpus.

        Args:
            views: uint8 (n, 3, 64, 64), at least one.
            descriptor: another map than the shipped one.
            fusion: other weights than the shipped ones.

        Raises:
            InputError: another dtype or shape, or no item.
        """
        if len(views) == 0:
            raise InputError("expected at least one registered item, got none", code="no_items")
        descriptor = descriptor or load_descriptor()
        points = np.concatenate([descriptor.describe(view) for view in build_indexed_views(views)])
        return cls(views, ScannedRows.build(points), descriptor, fusion or load_fusion())

    def find_candidates(self, generations: Pixels, orientations: int = ORIENTATIONS) -> Shortlist:
        """Take a shortlist by comparing with every point.

        Args:
            generations: uint8 (g, 3, 64, 64).
            orientations: in how many they are looked up, 2 or 8.

        Raises:
            InputError: another dtype or shape.
        """
        verify_views(generations)
        turned = np.stack([turn_views(generations, orientation) for orientation in range(orientations)], axis=1)
        descriptors = self.descriptor.describe(turned.reshape(-1, *generations.shape[1:]))
        by_orientation = descriptors.reshape(len(generations), orientations, self.descriptor.dimensions)
        return search_points(by_orientation, self.points, len(self.views))

    def detect(self, generations: Pixels, shortlist: Shortlist | None = None, orientations: int = ORIENTATIONS) -> Detections:
        """Find the item that each generation most likely copies.

        Args:
            generations: uint8 (g, 3, 64, 64).
            shortlist: candidates that an index found; by default every point is compared with.
            orientations: in how many the generations are looked up, where no shortlist is given.

        Returns:
            The best-scored candidate of each, with its evidence.

        Raises:
            InputError: another dtype or shape.
        """
        verify_views(generations)
        candidates = shortlist or self.find_candidates(generations, orientations)
        parts = [
            self._best(generations[start : start + _BATCH], candidates.rows(slice(start, start + _BATCH)))
            for start in range(0, max(len(generations), 1), _BATCH)
        ]
        return _join(parts)

    def weigh(self, generations: Pixels, shortlist: Shortlist) -> tuple[CopyEvidence, NDArray[np.float64]]:
        """Align and weigh every candidate.

        Args:
            generations: uint8 (g, 3, 64, 64), at most a few hundred: 150 KB each.
            shortlist: their candidates, (g, k).

        Returns:
            The evidence and the placements, (g, k) and (g, k, 6).
        """
        placements = STARTS[shortlist.views]
        blocks = np.zeros((*shortlist.items.shape, SUMS, BLOCKS, BLOCKS), np.float32)
        rows = np.ascontiguousarray(generations)
        # Only the candidates are read: the corpus may be a memory map of any size.
        numbers, local = np.unique(shortlist.items, return_inverse=True)
        items = np.ascontiguousarray(self.views[np.maximum(numbers, 0)])
        candidates = np.where(shortlist.items < 0, -1, local.reshape(shortlist.items.shape))
        work = [(part,) for part in cut_evenly(candidates.size, usable_cores())]
        in_threads(
            lambda part: compare_candidates(rows, items, candidates, shortlist.orientations, placements, blocks, part), work
        )
        return weigh(shortlist.cosines, placements, blocks), placements

    def _best(self, generations: Pixels, shortlist: Shortlist) -> Detections:
        evidence, placements = self.weigh(generations, shortlist)
        scores = np.where(shortlist.items < 0, -np.inf, self.fusion.score(evidence))
        best, rows = scores.argmax(axis=1), np.arange(len(scores))
        return Detections(
            scores[rows, best],
            shortlist.items[rows, best],
            shortlist.orientations[rows, best],
            placements[rows, best],
            shortlist.cosines[rows, best],
            evidence.take(best),
        )

    def calibrate(self, control: Pixels) -> NullDistribution:
        """Send a control through the same steps (`shared.matching.calibration.null_distribution`).

        Args:
            control: uint8 (m, 3, 64, 64), real images that were never trained on, at least two.

        Raises:
            InputError: another dtype or shape, or fewer than two.
        """
        return NullDistribution(tuple(self.detect(control).scores.tolist()))

    @cached_property
    def digests(self) -> dict[str, str]:
        """What scores depend on: digests of views, descriptor and fusion."""
        views = self.views_sha256 or digest_rows(self.views)
        return {"views": views, "descriptor": self.descriptor.sha256, "fusion": self.fusion.sha256}


def _join(parts: list[Detections]) -> Detections:
    def joined(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    names = CopyEvidence.__dataclass_fields__
    evidence = CopyEvidence(**{name: np.concatenate([getattr(part.evidence, name) for part in parts]) for name in names})
    arrays = {name: joined(name) for name in ("scores", "items", "orientations", "placements", "cosines")}
    return Detections(**arrays, evidence=evidence)
