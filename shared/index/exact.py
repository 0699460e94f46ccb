"""Exact nearest neighbours by a blocked matrix product: for audits, and the reference for every index."""

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError

# Queries a block: 256 × 100,000 float32 scores are 100 MB.
BLOCK_QUERIES = 256


def exact_neighbours(
    queries: NDArray[np.float32], corpus: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the k nearest rows of a corpus to each query, by inner product.

    Args:
        queries: shape (Q, D), rows of length 1.
        corpus: shape (N, D), rows of length 1.
        k: how many, at least 1; where it exceeds N, all N are returned.

    Returns:
        Indices and cosines, both (Q, min(k, N)), best first; equal scores in the order of the corpus.

    Raises:
        InputError: k below 1, an empty corpus, widths that differ, or a NaN among the vectors.

    >>> exact_neighbours(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), 1)[0].tolist()
    [[0], [1]]
    """
    if k < 1 or len(corpus) == 0 or queries.shape[1] != corpus.shape[1]:
        raise InputError(f"expected k ≥ 1 and equal widths, got k {k}, queries {queries.shape}, corpus {corpus.shape}")
    k = min(k, len(corpus))
    indices = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k), dtype=np.float32)
    for start in range(0, len(queries), BLOCK_QUERIES):
        product = queries[start : start + BLOCK_QUERIES] @ corpus.T
        for row, line in enumerate(product, start):
            indices[row] = _top(line, k)
            scores[row] = line[indices[row]]
    return indices, scores


def _top(line: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the places of the k largest numbers, largest first, equal ones in order."""
    # Everything at least as large as the k-th is a candidate, so that equals at the cut are chosen by their order.
    largest = np.partition(line, len(line) - k)[len(line) - k :]
    # A NaN is sorted behind every number and so is here if it is anywhere.
    if not np.isfinite(largest).all():
        raise InputError("expected finite vectors, got a NaN or infinity among them", code="index_vector_length")
    candidates = np.flatnonzero(line >= largest[0])
    order = np.argsort(-line[candidates], kind="stable")[:k]
    best: NDArray[np.int64] = candidates[order]
    return best
