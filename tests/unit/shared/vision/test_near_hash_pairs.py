"""Pairs of near hashes against a double loop, in blocks of any size."""

from itertools import combinations

import pytest

from shared.vision import near_hash_pairs
from shared.vision.near_hash_pairs import near_pairs
from shared.vision.perceptual_hash import (
    pack_hashes,
)
from tests.unit.shared.vision.hashes import distance, random_hashes


@pytest.fixture(params=[3, 16, 256])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_hash_pairs, "BLOCK_ROWS", request.param)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("max_distance", [0, 31, 60, 256])
@pytest.mark.parametrize("count", [1, 2, 8, 90])
def test_pairs_are_those_of_a_double_loop(count: int, max_distance: int) -> None:
    hashes = random_hashes(count, 3)
    pairs = [tuple(pair) for block in near_pairs(pack_hashes(hashes), max_distance) for pair in block.tolist()]
    expected = [(i, j) for (i, a), (j, b) in combinations(enumerate(hashes), 2) if distance(a, b) <= max_distance]
    assert sorted(pairs) == expected
