"""Every pair of perceptual hashes within a distance of each other: the first step to clusters of duplicates.

This stands apart from `perceptual_hash`, which services without compiled loops import too.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shared.compute.compiling import compiled
from shared.compute.threads import cut_evenly, in_threads, usable_cores
from shared.vision.perceptual_hash import PackedHashes

# Rows whose pairs are gathered before they are handed out.
BLOCK_ROWS = 1024


def near_pairs(hashes: PackedHashes, max_distance: int) -> Iterator[NDArray[np.int64]]:
    """Find every pair of hashes within a distance of each other, for clusters of duplicates.

    Args:
        hashes: shape (N, 4).
        max_distance: 0..256.

    Yields:
        Pairs of one block: shape (K, 2), K at least 1, each row (i, j) with i < j. Every pair comes once.

    >>> from shared.vision.perceptual_hash import pack_hashes
    >>> [pairs.tolist() for pairs in near_pairs(pack_hashes([bytes(32), b"\\xff" * 32, bytes(32)]), 31)]
    [[[0, 2]]]
    """
    words = np.ascontiguousarray(hashes)
    for top in range(0, len(words), BLOCK_ROWS):
        parts = cut_evenly(min(BLOCK_ROWS, len(words) - top), usable_cores())
        pairs_by_part = in_threads(
            lambda low, high: _find_pairs(words, low, high, max_distance), [(top + a, top + b) for a, b in parts]
        )
        pairs = np.concatenate(pairs_by_part)
        if len(pairs):
            yield pairs


@compiled
def _find_pairs(words: PackedHashes, first: int, last: int, max_distance: int) -> NDArray[np.int64]:
    """Return the pairs (i, j), i of first..last, j behind i, within a distance; pairs grow by doubling."""
    pairs = np.empty((64, 2), np.int64)
    count = 0
    for i in range(first, last):
        for j in range(i + 1, len(words)):
            # Half of the bits decide nearly every pair: of unrelated pictures, about 64 of 128 differ.
            distance = _ones(words[i, 0] ^ words[j, 0]) + _ones(words[i, 1] ^ words[j, 1])
            if distance > max_distance:
                continue
            distance += _ones(words[i, 2] ^ words[j, 2]) + _ones(words[i, 3] ^ words[j, 3])
            if distance > max_distance:
                continue
            if count == len(pairs):
                larger = np.empty((2 * count, 2), np.int64)
                larger[:count] = pairs
                pairs = larger
            pairs[count, 0], pairs[count, 1] = i, j
            count += 1
    return pairs[:count].copy()


@compiled
def _ones(word: np.uint64) -> np.int64:
    """Count the bits that are set, in parallel sums (Warren, "Hacker's Delight", section 5-1)."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))
