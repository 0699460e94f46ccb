"""Nearest neighbours by the exact product, against a naive sort."""

import numpy as np
import pytest

from shared.errors import InputError
from shared.index.exact_neighbours import exact_neighbours


def unit_rows(count: int, width: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 5, 99, 100, 250])
def test_exact_search_agrees_with_a_naive_sort(k: int) -> None:
    corpus, queries = unit_rows(100, 16), unit_rows(300, 16, seed=1)
    indices, scores = exact_neighbours(queries, corpus, k)
    naive = np.argsort(-(queries @ corpus.T), axis=1, kind="stable")[:, :k]
    assert indices.shape == (300, min(k, 100))
    np.testing.assert_array_equal(indices, naive)
    np.testing.assert_allclose(scores, np.take_along_axis(queries @ corpus.T, naive, axis=1), atol=1e-6)


@pytest.mark.parametrize("k", [7, 300, 2000])
def test_a_query_gets_the_same_figures_in_any_company(k: int) -> None:
    """Close to each other, as embeddings of real pictures are: some neighbours differ by less than a product's rounding."""
    rng = np.random.default_rng(2)
    corpus, queries = (unit_rows(1, 512) + 0.01 * rng.normal(size=(count, 512)).astype(np.float32) for count in (2000, 70))
    together = exact_neighbours(queries, corpus, k)
    for size in (1, 3):
        parts = [exact_neighbours(queries[start : start + size], corpus, k) for start in range(0, 70, size)]
        for whole, cut in zip(together, zip(*parts, strict=True), strict=True):
            np.testing.assert_array_equal(np.concatenate(cut), whole)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_ties_come_in_the_order_of_the_corpus(k: int) -> None:
    corpus = np.repeat(unit_rows(1, 4), 6, axis=0)
    assert exact_neighbours(corpus[:1], corpus, k)[0].tolist() == [[0, 1, 2, 3, 4, 5][:k]]


def test_ties_at_the_cut_come_in_the_order_of_the_corpus() -> None:
    corpus = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(0, 4, 3000)]
    indices, _ = exact_neighbours(corpus[:40], corpus, 900)
    naive = np.argsort(-(corpus[:40] @ corpus.T), axis=1, kind="stable")[:, :900]
    np.testing.assert_array_equal(indices, naive)


@pytest.mark.parametrize(("k", "count", "width"), [(0, 5, 4), (3, 0, 4), (3, 5, 3)])
def test_unusable_searches_are_refused(k: int, count: int, width: int) -> None:
    with pytest.raises(InputError):
        exact_neighbours(unit_rows(2, 4), unit_rows(count, width), k)


def test_a_vector_without_direction_is_refused() -> None:
    queries, corpus = unit_rows(2, 4), unit_rows(5, 4)
    corpus[3] = np.nan
    with pytest.raises(InputError, match="NaN"):
        exact_neighbours(queries, corpus, 2)
