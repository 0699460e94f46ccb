"""Blocks of generations: distances of hashes, and a division that loses nothing."""

from dataclasses import replace

import numpy as np
import pytest

from shared.matching.panel.comparison_block import ItemScores
from tests.unit.shared.matching.blocks import blobs, build_block, noisy

TRAINING = blobs(6, 1)
BLOCK = replace(build_block(noisy(TRAINING[:5]), TRAINING), copies=ItemScores(np.arange(5, dtype=np.float64), np.arange(5)))


def test_hash_distances_are_the_bits_that_differ() -> None:
    for row, shortlist in enumerate(BLOCK.shortlists):
        differing = BLOCK.hashes.packed[row] ^ BLOCK.training.hashes.packed[shortlist]
        assert BLOCK.pdq_distances[row].tolist() == np.bitwise_count(differing).sum(axis=1).tolist()


def test_the_parts_of_a_block_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.matching.panel.comparison_block.BLOCK_GENERATIONS", 2)
    parts = list(BLOCK.blocks())
    assert [len(part.views) for part in parts] == [2, 2, 1]
    for name in ("views", "shortlists", "cosines", "best_item", "best_ssim", "pdq_distances"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(BLOCK, name))
    scores = [part.copies.scores for part in parts if part.copies is not None]
    assert np.concatenate(scores).tolist() == list(range(5))
    assert all(part.copies is None for part in replace(BLOCK, copies=None).blocks())
