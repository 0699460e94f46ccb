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
        InputError: k below 1, an empty corpus, or widths that differ.

    >>> exact_neighbours(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), 1)[0].tolist()
    [[0], [1]]
    """
    if k < 1 or len(corpus) == 0 or queries.shape[1] != corpus.shape[1]:
        raise InputError(f"expected k ≥ 1 and equal widths, got k {k}, queries {queries.shape}, corpus {corpus.shape}")
    k = min(k, len(corpus))
    indices = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k), dtype=np.float32)
    for start in range(0, len(queries), BLOCK_QUERIES):
        block = slice(start, start + BLOCK_QUERIES)
        product = queries[block] @ corpus.T
        best = _top(product, k)
        indices[block] = best
        scores[block] = np.take_along_axis(product, best, axis=1)
    return indices, scores


def _top(product: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    candidates = np.argpartition(-product, k - 1, axis=1)[:, :k] if k < product.shape[1] else None
    if candidates is None:
        return np.argsort(-product, axis=1, kind="stable").astype(np.int64)
    candidates.sort(axis=1)
    order = np.argsort(-np.take_along_axis(product, candidates, axis=1), axis=1, kind="stable")
    return np.take_along_axis(candidates, order, axis=1).astype(np.int64)
