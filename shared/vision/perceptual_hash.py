"""PDQ: a hash of 256 bits that changes little when an image is encoded, scaled or disturbed a little, and its distances.

Rules, in order:

1. A picture with a side above 512 px is scaled to 512 × 512 first, as the reference program does; one with a side below 128 px
   to 128 × 128, where the reference would take single pixels. The reference code then makes hash and quality.
2. A hash is 32 bytes, in the order of the reference's hexadecimal form. A distance is the number of bits that differ.
3. Below the quality floor a hash says nothing: flat pictures all share one. Comparisons leave such hashes out.
4. Searches are exact: every hash is looked at, in blocks, by XOR and population count. `near_hash_pairs` finds all pairs.

Source: PDQ, hashing.pdf and pdq/ in facebook/ThreatExchange (reference code, through `pdqhash`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pdqhash
from numpy.typing import NDArray
from PIL import Image

from shared.errors import InputError

# pdq/README.md, section "Matching": hashes up to this distance, in bits, are taken for the same picture …
MATCH_DISTANCE = 31
# … and hashes of quality 49 or less are best discarded.
MIN_QUALITY = 50
# Hashes of unrelated pictures differ in about half of their bits: a search beyond that is for anything at all.
MAX_DISTANCE = 128

# pdq/cpp/io/pdqio.cpp, DOWNSAMPLE_DIMS.
REFERENCE_SIDE_PX = 512
# The reference picks 64 × 64 pixels, after a filter whose window is one pixel wide up to 128 px (pdq/cpp/downscaling): below,
# it is not filtered at all, and a copy of another size gets another hash. docs/methods/search.md has the figures.
FILTERED_SIDE_PX = 128

BITS, BYTES, WORDS = 256, 32, 4
# Hashes a block: what is computed of them stays in a core's second-level cache.
BLOCK_HASHES = 32_768

PackedHashes = NDArray[np.uint64]


@dataclass(frozen=True)
class PerceptualHash:
    """A PDQ hash and how much there was in the picture to hash: quality 0 (flat) to 100."""

    value: bytes
    quality: int

    @property
    def is_defined(self) -> bool:
        """Whether the hash may be compared."""
        return self.quality >= MIN_QUALITY


def hash_image(image: Image.Image) -> PerceptualHash:
    """Hash a picture.

    Args:
        image: upright RGB, any size.

    Returns:
        Its PDQ hash and quality.

    >>> hash_image(Image.new("RGB", (64, 64), "red")).quality
    0
    """
    if max(image.size) > REFERENCE_SIDE_PX:
        # The reference takes the nearest pixel. An antialiased filter keeps the hash of a copy that was scaled elsewhere.
        image = image.resize((REFERENCE_SIDE_PX, REFERENCE_SIDE_PX), Image.Resampling.BILINEAR)
    elif min(image.size) < FILTERED_SIDE_PX:
        image = image.resize((FILTERED_SIDE_PX, FILTERED_SIDE_PX), Image.Resampling.BICUBIC)
    bits, quality = pdqhash.compute(np.asarray(image))
    return PerceptualHash(np.packbits(bits.astype(np.uint8)).tobytes(), int(quality))


def pack_hashes(values: Sequence[bytes]) -> PackedHashes:
    """Pack hashes for comparison.

    Args:
        values: 32 bytes each.

    Returns:
        Shape (N, 4), columns contiguous, which is what a scan reads.

    Raises:
        InputError: a hash of another length.

    >>> pack_hashes([bytes(32)] * 3).shape
    (3, 4)
    """
    if any(len(value) != BYTES for value in values):
        raise InputError(f"expected hashes of {BYTES} bytes, got {sorted({len(value) for value in values})}")
    return np.asfortranarray(np.frombuffer(b"".join(values), dtype=np.uint64).reshape(-1, WORDS))


def measure_distances(queries: PackedHashes, hashes: PackedHashes) -> NDArray[np.uint16]:
    """Measure many hashes against many.

    Args:
        queries: shape (Q, 4).
        hashes: shape (N, 4).

    Returns:
        Bits that differ, shape (Q, N), 0..256.

    >>> measure_distances(pack_hashes([bytes(32)]), pack_hashes([b"\\xff" * 32, b"\\x01" + bytes(31)])).tolist()
    [[256, 1]]
    """
    distances = np.empty((len(queries), len(hashes)), dtype=np.uint16)
    for start in range(0, len(hashes), BLOCK_HASHES):
        block = slice(start, start + BLOCK_HASHES)
        for row, query in enumerate(queries):
            np.add(_half(query, hashes[block], 0), _half(query, hashes[block], 2), out=distances[row, block], dtype=np.uint16)
    return distances


def find_near(query: PackedHashes, hashes: PackedHashes, max_distance: int) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """Find every hash within a distance of one.

    Args:
        query: shape (1, 4).
        hashes: shape (N, 4).
        max_distance: 0..256.

    Returns:
        Row numbers, ascending, and their distances.

    >>> [found.tolist() for found in find_near(pack_hashes([bytes(32)]), pack_hashes([b"\\xff" * 32, bytes(32)]), 31)]
    [[1], [0]]
    """
    distances = measure_distances(query, hashes)[0]
    rows = np.flatnonzero(distances <= max_distance)
    return rows, distances[rows]


def _half(a: PackedHashes, b: PackedHashes, word: int) -> NDArray[np.uint8]:
    """Count the bits that differ in two words of the four: at most 128, so that eight bits hold it (256 would not fit)."""
    first = np.bitwise_count(a[..., word] ^ b[..., word])
    both: NDArray[np.uint8] = first + np.bitwise_count(a[..., word + 1] ^ b[..., word + 1])
    return both
