"""What the rules look at: a block of generations beside their shortlists, measured once for all rules."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shared.matching.panel.tile_distances import TileDistances, tile_distances
from shared.matching.training_set.training_set import TrainingSet
from shared.matching.training_set.view_hashes import ViewHashes
from shared.vision.perceptual_hash import measure_distances
from shared.vision.views import Pixels

# Generations measured at once: at 1,000 neighbours the sums of 16 tiles take 8 MB.
BLOCK_GENERATIONS = 64


@dataclass(frozen=True)
class ItemScores:
    """The item that a search finds best for each of B generations.

    Attributes:
        scores: float64 (B,), higher is more alike; -inf without a candidate.
        items: int64 (B,), row of the training set; -1 without a candidate.
    """

    scores: NDArray[np.float64]
    items: NDArray[np.int64]

    def __getitem__(self, rows: slice) -> "ItemScores":
        """Return the scores of some generations."""
        return ItemScores(self.scores[rows], self.items[rows])

    @property
    def as_rule_scores(self) -> tuple[NDArray[np.float64], NDArray[np.int64], tuple[str, ...]]:
        """What a rule says of them: scores, items and reasons, where there is no candidate undefined."""
        has_candidate = self.items >= 0
        reasons = tuple("" if defined else "no candidate was found" for defined in has_candidate)
        return np.where(has_candidate, self.scores, np.nan), np.where(has_candidate, self.items, -1), reasons


@dataclass(frozen=True)
class ComparisonBlock:
    """B generations with their shortlists.

    Attributes:
        training: what they are compared with.
        views: uint8 (B, C, H, W).
        shortlists: int64 (B, K), nearest first by embedding.
        cosines: float64 (B, K), similarity of the embeddings; higher is nearer.
        best_item: int64 (B,), the best upright SSIM's item.
        best_ssim: float64 (B,).
        hashes: PDQ of the generations' views.
        copies: the copy detector's score and item for each; None where it was not run.
        turned: the best SSIM over the eight orientations; None where it was not searched for.
        works: the same of the detector of whole pictures (`shared.matching.whole_picture`).
    """

    training: TrainingSet
    views: Pixels
    shortlists: NDArray[np.int64]
    cosines: NDArray[np.float64]
    best_item: NDArray[np.int64]
    best_ssim: NDArray[np.float64]
    hashes: ViewHashes
    copies: ItemScores | None = None
    turned: ItemScores | None = None
    works: ItemScores | None = None

    @cached_property
    def distances(self) -> TileDistances:
        """Root mean square differences, whole and by the worst tile."""
        return tile_distances(self.views, self.training.views, self.shortlists)

    @cached_property
    def pdq_distances(self) -> NDArray[np.int64]:
        """Hamming distances of the perceptual hashes, int64 (B, K)."""
        packed = self.training.hashes.packed
        rows = [measure_distances(self.hashes.packed[at : at + 1], packed[near]) for at, near in enumerate(self.shortlists)]
        return np.array(rows, dtype=np.int64).reshape(self.shortlists.shape)

    def blocks(self) -> Iterator["ComparisonBlock"]:
        """Cut into blocks of generations, so that what is measured for each fits into memory."""
        for start in range(0, len(self.views), BLOCK_GENERATIONS):
            part = slice(start, start + BLOCK_GENERATIONS)
            yield ComparisonBlock(
                self.training,
                self.views[part],
                self.shortlists[part],
                self.cosines[part],
                self.best_item[part],
                self.best_ssim[part],
                self.hashes[part],
                None if self.copies is None else self.copies[part],
                None if self.turned is None else self.turned[part],
                None if self.works is None else self.works[part],
            )
