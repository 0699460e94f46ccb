"""The scan by codes finds what comparing with every vector finds, whatever the vectors are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import InputError
from shared.index import coded_scan as scan
from shared.index.coded_scan import ScannedRows, code_rows
from shared.index.exact_neighbours import exact_neighbours

Rows = NDArray[np.float32]


def unit(rows: NDArray[np.float64]) -> Rows:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def scored_in_float64(queries: Rows, rows: Rows) -> NDArray[np.float32]:
    return (queries.astype(np.float64) @ rows.astype(np.float64).T).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 3000),
    width=st.sampled_from([2, 33, 256, 512]),
    spread=st.sampled_from([1.0, 0.05, 0.0]),
    k=st.sampled_from([1, 7, 80, 5000]),
)
def test_the_result_is_that_of_scoring_everything(seed: int, count: int, width: int, spread: float, k: int) -> None:
    """Rows spread over the sphere, rows close to each other, and rows that are all the same."""
    rng = np.random.default_rng(seed)
    rows = unit(rng.normal(size=(1, width)) + spread * rng.normal(size=(count, width)))
    rows[rng.integers(0, count, 3)] = rows[0]
    queries = np.concatenate([rows[:2], unit(rng.normal(size=(3, width)))])
    numbers, scores = ScannedRows.build(rows).nearest(queries, k)
    expected = -np.sort(-scored_in_float64(queries, rows), axis=1)[:, :k]
    # Sums in another order may round the other way: one unit in the last place of float32.
    np.testing.assert_allclose(scores, expected, atol=2e-7)
    np.testing.assert_allclose(np.take_along_axis(scored_in_float64(queries, rows), numbers, axis=1), scores, atol=2e-7)
    for row, row_scores in zip(numbers, scores, strict=True):
        assert len(set(row.tolist())) == min(k, count)
        assert np.lexsort((row, -row_scores)).tolist() == list(range(len(row)))


def test_a_query_gets_the_same_figures_in_any_company() -> None:
    rng = np.random.default_rng(0)
    rows, queries = unit(rng.normal(size=(2000, 256))), unit(rng.normal(size=(9, 256)))
    scanned = ScannedRows.build(rows)
    together = scanned.nearest(queries, 50)
    for at in range(len(queries)):
        alone = scanned.nearest(queries[at : at + 1], 50)
        assert np.array_equal(alone[0][0], together[0][at])
        assert np.array_equal(alone[1][0], together[1][at])


def test_it_finds_what_the_audit_finds() -> None:
    rng = np.random.default_rng(1)
    rows, queries = unit(rng.normal(size=(4000, 512))), unit(rng.normal(size=(5, 512)))
    numbers, scores = ScannedRows.build(rows).nearest(queries, 100)
    expected_numbers, expected = exact_neighbours(queries, rows, 100)
    assert np.array_equal(numbers, expected_numbers)
    assert np.array_equal(scores, expected)


def test_many_queries_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    scanned = ScannedRows.build(unit(rng.normal(size=(300, 16))))
    queries = unit(rng.normal(size=(20, 16)))
    whole = scanned.nearest(queries, 5)
    monkeypatch.setattr(scan, "HELD_SCORES", 1000)
    again = scanned.nearest(queries, 5)
    assert np.array_equal(again[0], whole[0])
    assert np.array_equal(again[1], whole[1])
    assert scanned.nearest(queries[:0], 5)[0].shape == (0, 5)


def test_what_cannot_be_searched_is_refused() -> None:
    scanned = ScannedRows.build(np.eye(3, dtype=np.float32))
    for queries, k in ((np.eye(3), 0), (np.eye(4), 1), (np.full((1, 3), np.nan), 1)):
        with pytest.raises(InputError):
            scanned.nearest(queries.astype(np.float32), k)
    with pytest.raises(InputError):
        code_rows(np.array([[np.nan, 1]], np.float32))
