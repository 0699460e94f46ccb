"""Pairs of near hashes against a double loop, in blocks of any size."""

from itertools import combinations

import numpy as np
import pytest

from shared.vision import near_hash_pairs as near_hashes
from shared.vision import perceptual_hash
from shared.vision.near_hash_pairs import near_pairs
from shared.vision.perceptual_hash import (
    pack_hashes,
)


def distance(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def random_hashes(count: int, seed: int) -> list[bytes]:
    """Unrelated hashes, and near copies of some of them."""
    rng = np.random.default_rng(seed)
    hashes = [rng.bytes(32) for _ in range(count - count // 4)]
    for at in rng.integers(0, len(hashes), count // 4):
        bits = np.unpackbits(np.frombuffer(hashes[at], dtype=np.uint8))
        bits[rng.choice(256, rng.integers(0, 50), replace=False)] ^= 1
        hashes.append(np.packbits(bits).tobytes())
    return [hashes[at] for at in rng.permutation(count)]


@pytest.fixture(params=[(7, 3), (64, 16), (32_768, 256)])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual_hash, "BLOCK_HASHES", request.param[0])
    monkeypatch.setattr(near_hashes, "BLOCK_ROWS", request.param[1])


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("max_distance", [0, 31, 60, 256])
@pytest.mark.parametrize("count", [1, 2, 8, 90])
def test_pairs_are_those_of_a_double_loop(count: int, max_distance: int) -> None:
    hashes = random_hashes(count, 3)
    pairs = [tuple(pair) for block in near_pairs(pack_hashes(hashes), max_distance) for pair in block.tolist()]
    expected = [(i, j) for (i, a), (j, b) in combinations(enumerate(hashes), 2) if distance(a, b) <= max_distance]
    assert sorted(pairs) == expected
