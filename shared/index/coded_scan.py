"""Exact nearest neighbours among many vectors in two passes: 8-bit codes with a proven margin, then the vectors themselves.

Rules, in order:

1. A row x is coded as x̂ = scale · code, code int8; its error ‖x − x̂‖ and length ‖x̂‖ are stored with it. A query q is coded in
   the same way, in 16 bits at most. Inner products of codes are exact in int32.
2. By Cauchy and Schwarz |q·x − q̂·x̂| ≤ ‖q‖ · ‖x − x̂‖ + ‖q − q̂‖ · ‖x̂‖. This gives every row a least and a greatest
   possible score. A row is left out where its greatest possible score is below the least possible scores of k rows. The
   others are scored by the vectors. The result is that of scoring all rows.
3. Scores are sums in float64, rounded to float32. So a query gets the same figures in any company. Of equals the first row
   comes first.
4. Rows and codes may be memory-mapped: a search reads every code, and only the rows that rule 2 leaves.

docs/methods/neighbours.md has the measurements, docs/adr/0014 the alternatives.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.compute.compiling import compiled
from shared.compute.threads import cut_evenly, in_threads, usable_cores
from shared.errors import InputError

# The codes of a row fill -127..127.
PEAK = 127
# Columns kept beside the codes: scale, error, length of what the code stands for.
TERMS = 3
# Rows that go through all queries before the next are read: their codes stay in a core's second-level cache.
BLOCK_ROWS = 1024
# Approximate scores held at once: 64 MB.
HELD_SCORES = 1 << 24
# Steps in which the k-th score of rule 2 is found, over the range of a product of unit vectors and some more.
_STEPS, _REACH = 4096, 1.25
# float32 takes this much from a score and its margin at most: fewer than sixteen roundings of values up to 1.25, 2⁻²⁴ each.
_SLACK = 2e-6

Floats = NDArray[np.float32]
Codes = NDArray[np.int8]
Numbers = NDArray[np.int64]


def code_rows(rows: Floats) -> tuple[Codes, Floats]:
    """Code vectors.

    Args:
        rows: float32 (n, d), about unit length.

    Returns:
        Codes int8 (n, d), and float32 (n, 3): scale, error, length.

    Raises:
        InputError: a NaN or infinity among them.

    >>> codes, terms = code_rows(np.array([[0.6, -0.8]], np.float32))
    >>> codes.tolist(), [round(term, 4) for term in terms[0].tolist()]
    ([[95, -127]], [0.0063, 0.0016, 0.9991])
    """
    if not np.isfinite(rows).all():
        raise InputError("expected finite vectors, got a NaN or infinity among them", code="index_vector_length")
    scales = np.maximum(np.abs(rows).max(axis=1, initial=0), np.float32(1e-30)) / np.float32(PEAK)
    codes = np.rint(rows / scales[:, None]).astype(np.int8)
    decoded = codes * scales[:, None].astype(np.float64)
    terms = np.stack([scales, np.linalg.norm(rows - decoded, axis=1), np.linalg.norm(decoded, axis=1)], axis=1)
    return codes, terms.astype(np.float32)


@dataclass(frozen=True)
class ScannedRows:
    """Vectors with their codes.

    Args:
        rows: float32 (n, d).
        codes: int8 (n, d), as `code_rows` makes them.
        terms: float32 (n, 3), likewise.
    """

    rows: Floats
    codes: Codes
    terms: Floats

    @classmethod
    def build(cls, rows: Floats) -> "ScannedRows":
        """Code vectors that are in memory."""
        return cls(rows, *code_rows(rows))

    def __len__(self) -> int:
        """Return the number of vectors."""
        return len(self.rows)

    def nearest(self, queries: Floats, k: int) -> tuple[Numbers, Floats]:
        """Find the k rows of largest inner product with each query.

        Args:
            queries: float32 (q, d), about unit length.
            k: how many, at least 1; where it exceeds n, all n are returned.

        Returns:
            Row numbers int64 and scores float32, both (q, min(k, n)), best first, equal ones in the order of the rows.

        Raises:
            InputError: k below 1, no rows, widths that differ, or a NaN among the queries.
        """
        if k < 1 or len(self) == 0 or queries.shape[1] != self.rows.shape[1]:
            raise InputError(f"expected k ≥ 1 and equal widths, got k {k}, queries {queries.shape}, rows {self.rows.shape}")
        if not np.isfinite(queries).all():
            raise InputError("expected finite vectors, got a NaN or infinity among them", code="index_vector_length")
        k = min(k, len(self))
        at_once = max(1, HELD_SCORES // len(self))
        parts = [self._nearest(queries[start : start + at_once], k) for start in range(0, len(queries), at_once)]
        if not parts:
            return np.empty((0, k), np.int64), np.empty((0, k), np.float32)
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _nearest(self, queries: Floats, k: int) -> tuple[Numbers, Floats]:
        coded, query_terms = _code_queries(queries)
        scores = np.empty((len(queries), len(self)), np.float32)
        ranges = cut_evenly(len(self), usable_cores())
        counts = np.zeros((len(ranges), len(queries), _STEPS), np.int64)
        parts = [(*part, counts[number]) for number, part in enumerate(ranges)]
        in_threads(
            lambda start, stop, part_counts: _scan(
                self.codes, self.terms, coded, query_terms, scores, part_counts, start, stop
            ),
            parts,
        )
        floors = _floors(counts.sum(axis=0), k)
        work = [(at, float(floors[at])) for at in range(len(queries))]
        nearest = in_threads(lambda at, floor: self._choose(queries[at], query_terms[at], scores[at], floor, k), work)
        return np.stack([part[0] for part in nearest]), np.stack([part[1] for part in nearest])

    def _choose(self, query: Floats, query_terms: Floats, scores: Floats, floor: float, k: int) -> tuple[Numbers, Floats]:
        """Score the rows that may reach the floor, and keep the best."""
        numbers = _collect(self.terms, query_terms, scores, floor)
        exact = score_rows(self.rows, query, numbers)
        order = np.lexsort((numbers, -exact))[:k]
        return numbers[order], exact[order]


def _code_queries(queries: Floats) -> tuple[NDArray[np.int16], Floats]:
    """Code queries as finely as int32 sums allow; terms float32 (q, 3): scale, error, length of the query itself."""
    peak = min(np.iinfo(np.int16).max, np.iinfo(np.int32).max // (PEAK * queries.shape[1]))
    scales = np.maximum(np.abs(queries).max(axis=1), np.float32(1e-30)) / np.float32(peak)
    coded = np.rint(queries / scales[:, None]).astype(np.int16)
    errors = np.linalg.norm(queries - coded * scales[:, None].astype(np.float64), axis=1)
    terms = np.stack([scales, errors, np.linalg.norm(queries, axis=1)], axis=1)
    return coded, terms.astype(np.float32)


def _floors(counts: Numbers, k: int) -> NDArray[np.float64]:
    """Return for each query a score that at least k rows reach for certain: the lower edge of the step of the k-th."""
    reached = np.cumsum(counts[:, ::-1], axis=1) >= k
    steps = _STEPS - 1 - reached.argmax(axis=1)
    # The lowest step holds whatever lies below it.
    return np.where(steps == 0, -np.inf, steps * (2 * _REACH / _STEPS) - _REACH)


@compiled
def _scan(
    codes: Codes,
    terms: Floats,
    queries: NDArray[np.int16],
    query_terms: Floats,
    scores: Floats,
    counts: Numbers,
    start: int,
    stop: int,
) -> None:
    """Score the rows start..stop by codes, and count for each query how many at least reach each step."""
    width, totals = np.uintp(codes.shape[1]), np.empty(BLOCK_ROWS, np.int32)
    steps_a_score = np.float32(_STEPS / (2 * _REACH))
    for block in range(start, stop, BLOCK_ROWS):
        count, first = np.uintp(min(BLOCK_ROWS, stop - block)), np.uintp(block)
        for number in range(len(queries)):
            q = np.uintp(number)
            for i in range(count):
                total = np.int32(0)
                for j in range(width):
                    total += np.int32(codes[first + i, j]) * np.int32(queries[q, j])
                totals[i] = total
            scale, error, length = query_terms[q, 0], query_terms[q, 1], query_terms[q, 2]
            for i in range(count):
                at = first + i
                score = np.float32(totals[i]) * (scale * terms[at, 0])
                scores[q, at] = score
                margin = length * terms[at, 1] + error * terms[at, 2] + np.float32(_SLACK)
                step = int((score - margin + np.float32(_REACH)) * steps_a_score)
                counts[q, min(max(step, 0), _STEPS - 1)] += 1


@compiled
def _collect(terms: Floats, query_terms: Floats, scores: Floats, floor: float) -> Numbers:
    """Return the rows that may reach the floor, ascending."""
    numbers = np.empty(len(scores), np.int64)
    error, length, count = query_terms[1], query_terms[2], 0
    for i in range(np.uintp(len(scores))):
        margin = length * terms[i, 1] + error * terms[i, 2] + np.float32(_SLACK)
        if scores[i] + margin >= floor:
            numbers[count] = i
            count += 1
    return numbers[:count].copy()


@compiled
def score_rows(rows: Floats, query: Floats, numbers: Numbers) -> Floats:
    """Score some rows as rule 3 says.

    Args:
        rows: float32 (n, d).
        query: float32 (d,).
        numbers: int64 (m,), rows to score.

    Returns:
        float32 (m,), inner products.
    """
    exact = np.empty(len(numbers), np.float32)
    for at in range(len(numbers)):
        number, total = np.uintp(numbers[at]), 0.0
        for j in range(np.uintp(len(query))):
            total += np.float64(rows[number, j]) * np.float64(query[j])
        exact[at] = total
    return exact
