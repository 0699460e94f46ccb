"""What is known of a training set before any generation comes: its views, their hashes, and which items are duplicates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.matching.training_set.view_hashes import ViewHashes
from shared.vision.views import Pixels

Pairs = NDArray[np.int64]


@dataclass(frozen=True)
class Clusters:
    """The duplicates of N items.

    Attributes:
        labels: int64 (N,), equal for the items of one cluster; 0 for the first item's, then in the order of first members.
        exact: pairs of the same bytes or view, int64 (P, 2), of which each links an item to the first like it.
        near: near-duplicate pairs, int64 (Q, 2).
    """

    labels: NDArray[np.int64]
    exact: Pairs
    near: Pairs

    @property
    def count(self) -> int:
        """How many clusters there are, single items included."""
        return int(self.labels.max()) + 1 if len(self.labels) else 0

    def members(self, row: int) -> list[int]:
        """Return the rows of the cluster that an item belongs to, itself included."""
        return [int(member) for member in np.flatnonzero(self.labels == self.labels[row])]

    def sizes(self) -> dict[int, int]:
        """Return how many clusters have how many members, by size."""
        sizes, counts = np.unique(np.bincount(self.labels), return_counts=True)
        return {int(size): int(count) for size, count in zip(sizes, counts, strict=True)}


@dataclass(frozen=True)
class TrainingSet:
    """The training set of a model, as generations are compared with it.

    Attributes:
        views: uint8 (N, C, H, W), the manifest's canonical views.
        clusters: duplicates among them.
        hashes: PDQ of each view.
    """

    views: Pixels
    clusters: Clusters
    hashes: ViewHashes
