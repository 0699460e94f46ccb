"""Duplicate clusters of pictures whose relation is known."""

import numpy as np
import pytest

from shared.errors import InputError
from shared.matching.training_set.duplicates import build_clusters
from shared.matching.training_set.view_hashes import hash_views
from tests.unit.shared.matching.blocks import SIDE_PX, blobs, noisy


def test_same_bytes_same_view_and_near_views_are_one_cluster() -> None:
    base = blobs(3, 1)
    views = np.concatenate([base, base[:1], noisy(base[1:2])])
    found = build_clusters(["a", "b", "c", "a", "e"], views, hash_views(views))
    assert found.labels.tolist() == [0, 1, 2, 0, 1]
    assert found.members(4) == [1, 4]
    assert found.exact.tolist() == [[0, 3]]
    assert found.near[:, 1].tolist() == [3, 4]
    assert found.sizes() == {1: 1, 2: 2}
    assert found.count == 3


def test_same_bytes_are_duplicates_where_no_hash_says_so() -> None:
    flat = np.zeros((2, 3, SIDE_PX, SIDE_PX), dtype=np.uint8)
    flat[1] = 255
    assert build_clusters(["a", "a"], flat, hash_views(flat)).labels.tolist() == [0, 0]
    assert build_clusters(["a", "b"], flat, hash_views(flat)).labels.tolist() == [0, 1]


def test_a_chain_is_one_cluster_and_strangers_are_none() -> None:
    strangers = blobs(30, 5)
    assert build_clusters([str(at) for at in range(30)], strangers, hash_views(strangers)).count == 30


def test_lengths_must_agree() -> None:
    with pytest.raises(InputError, match="one digest, view and hash each"):
        build_clusters(["a"], blobs(2, 1), hash_views(blobs(2, 1)))
