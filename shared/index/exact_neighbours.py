"""Exact nearest neighbours by a blocked matrix product: for audits, and the reference for every index.

Rules, in order:

1. A matrix product adds up in an order that depends on the size of the block and the number of threads, and so do the last
   digits of its scores. So it only finds candidates: every row whose score may be among the k best, by the bound on such a
   sum.
2. Candidates are scored as `coded_scan` scores them. So a query gets the same neighbours and figures in any company, with any
   number of threads, from either module.

Source of the bound: Higham 2002, "Accuracy and Stability of Numerical Algorithms", equation 3.5, for any order of adding.
"""

import numpy as np
from numpy.typing import NDArray

from shared.compute.threads import cut_evenly, in_threads, usable_cores
from shared.errors import InputError
from shared.index.coded_scan import score_rows

# Queries a block: 256 × 100,000 float32 scores are 100 MB.
BLOCK_QUERIES = 256
# Of float32. Beside one rounding a column, four for the final scores, and a hundredth for the terms of second order.
_ROUNDING, _MORE_ROUNDINGS, _SECOND_ORDER = 2.0**-24, 4, 1.01


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
    margin = _margin(queries, corpus)
    indices = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k), dtype=np.float32)
    for start in range(0, len(queries), BLOCK_QUERIES):
        block = queries[start : start + BLOCK_QUERIES]
        product = block @ corpus.T

        def choose(first: int, last: int, product: NDArray[np.float32] = product, start: int = start) -> None:
            for row in range(first, last):
                numbers = _candidates(product[row], k, margin)
                exact = score_rows(corpus, queries[start + row], numbers)
                order = np.argsort(-exact, kind="stable")[:k]
                indices[start + row], scores[start + row] = numbers[order], exact[order]

        in_threads(choose, cut_evenly(len(block), usable_cores()))
    return indices, scores


def _margin(queries: NDArray[np.float32], corpus: NDArray[np.float32]) -> float:
    """Return how far two scores of the product may lie the wrong way round: the errors of both (rule 1)."""
    lengths = [float(np.linalg.norm(rows, axis=1).max(initial=0)) for rows in (queries, corpus)]
    # A NaN or an infinity anywhere is one here.
    if not np.isfinite(lengths).all():
        raise InputError("expected finite vectors, got a NaN or infinity among them", code="index_vector_length")
    roundings = corpus.shape[1] + _MORE_ROUNDINGS
    return float(2 * _SECOND_ORDER * roundings * _ROUNDING * lengths[0] * lengths[1])


def _candidates(line: NDArray[np.float32], k: int, margin: float) -> NDArray[np.int64]:
    """Return the places of all numbers that may be among the k largest, ascending."""
    if k == len(line):
        return np.arange(k)
    least = float(np.partition(line, len(line) - k)[len(line) - k]) - margin
    # Compared in float64: in float32 the difference would be rounded.
    return np.flatnonzero(line >= np.float64(least))
