"""In which way generations show the items that rules name.

Rules, in order:

1. The copy detector has laid its own match over each generation: a rule that names the same item speaks of the same pair.
2. Where the rule that flags, or asks for a person, names another item, that one is laid over the generation as well.
3. Of any other pair nothing was measured, and nothing is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from shared.matching.copy_detection import CopyDetector, Detections
from shared.matching.copy_detection.match_classification import MatchMeasurements, measure_matches, measure_pair
from shared.vision.views import Pixels


@dataclass(frozen=True)
class SeenPairs:
    """Generations, as the detector sees them, beside what it found for each.

    Attributes:
        detector: with the corpus that items are rows of.
        views: uint8 (g, 3, 64, 64).
        found: its match of each.
        figures: how that match lies in each; None without one.
    """

    detector: CopyDetector
    views: Pixels
    found: Detections
    figures: Sequence[MatchMeasurements | None]

    @classmethod
    def detect(cls, detector: CopyDetector, views: Pixels) -> Self:
        """Find the match of each generation, and how it lies there."""
        found = detector.detect(views)
        return cls(detector, views, found, measure_matches(views, detector.views, found))

    def figures_of(self, at: int, item: int, *, decides: bool) -> MatchMeasurements | None:
        """Return how an item lies in a generation; None where nothing was measured.

        Args:
            at: which generation.
            item: row of the corpus.
            decides: rule 2: it is laid over the generation where that was not done yet.
        """
        figures = self.figures[at] if item == self.found.items[at] else None
        return measure_pair(self.detector, self.views[at], item) if figures is None and decides else figures
