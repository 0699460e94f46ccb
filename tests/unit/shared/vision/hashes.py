"""Hashes for the tests: unrelated ones, near copies of some of them, and their distances."""

import numpy as np


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
