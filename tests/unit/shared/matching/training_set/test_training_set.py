"""Clusters: their count, members and sizes."""

import numpy as np

from shared.matching.training_set.training_set import Clusters

NO_PAIRS = np.empty((0, 2), np.int64)
CLUSTERS = Clusters(np.array([0, 1, 0, 2, 0]), NO_PAIRS, NO_PAIRS)


def test_members_are_those_of_the_same_label() -> None:
    assert CLUSTERS.members(2) == [0, 2, 4]
    assert CLUSTERS.members(3) == [3]


def test_clusters_are_counted_by_size() -> None:
    assert CLUSTERS.count == 3
    assert CLUSTERS.sizes() == {1: 2, 3: 1}
    assert Clusters(np.empty(0, np.int64), NO_PAIRS, NO_PAIRS).count == 0
