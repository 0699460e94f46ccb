"""Nearest neighbours: the exact product against a naive sort, Qdrant Edge against the exact product."""

import multiprocessing
import uuid
from pathlib import Path

import numpy as np
import pytest

from shared.errors import InputError, UnavailableError
from shared.index.edge import EdgeIndex
from shared.index.exact import exact_neighbours

MANIFEST = "m-1"


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


def test_ties_come_in_the_order_of_the_corpus() -> None:
    corpus = np.repeat(unit_rows(1, 4), 6, axis=0)
    assert exact_neighbours(corpus[:1], corpus, 6)[0].tolist() == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize(("k", "count", "width"), [(0, 5, 4), (3, 0, 4), (3, 5, 3)])
def test_unusable_searches_are_refused(k: int, count: int, width: int) -> None:
    with pytest.raises(InputError):
        exact_neighbours(unit_rows(2, 4), unit_rows(count, width), k)


def filled(folder: Path, vectors: np.ndarray) -> tuple[EdgeIndex, list[str]]:
    index = EdgeIndex(folder, "items-test", vectors.shape[1])
    ids = [str(uuid.UUID(int=number + 1)) for number in range(len(vectors))]
    index.upsert({one: [MANIFEST] if at % 2 == 0 else [] for at, one in enumerate(ids)}, vectors)
    return index, ids


def test_edge_finds_the_exact_neighbours_within_a_manifest(tmp_path: Path) -> None:
    vectors = unit_rows(400, 32)
    index, ids = filled(tmp_path, vectors)
    expected, scores = exact_neighbours(vectors[:5], vectors[::2], 10)
    for row in range(5):
        found = index.neighbours(vectors[row], 10, MANIFEST, exact=True)
        assert [one.item_id for one in found] == [ids[2 * at] for at in expected[row]]
        np.testing.assert_allclose([one.cosine for one in found], scores[row], atol=1e-5)
    assert index.count(MANIFEST) == 200
    index.set_manifests({ids[1]: [MANIFEST, "m-2"]})
    assert (index.count(MANIFEST), index.count("m-2")) == (201, 1)
    index.close()


def test_the_index_and_its_cursor_survive_closing(tmp_path: Path) -> None:
    index, _ = filled(tmp_path, unit_rows(20, 8))
    assert index.cursor == 0
    index.commit(17)
    index.close()
    again = EdgeIndex(tmp_path, "items-test", 8)
    assert (again.cursor, again.count(MANIFEST)) == (17, 10)
    again.close()


def test_an_index_without_a_cursor_starts_anew(tmp_path: Path) -> None:
    index, _ = filled(tmp_path, unit_rows(20, 8))
    index.close()
    again = EdgeIndex(tmp_path, "items-test", 8)
    assert (again.cursor, again.count(MANIFEST)) == (0, 0)
    again.close()


def own(folder: Path, answer: "multiprocessing.Queue[str]") -> None:
    try:
        EdgeIndex(folder, "items-test", 8)
    except UnavailableError as error:
        answer.put(error.code)
    else:
        answer.put("owned")


def test_a_second_process_is_told_that_the_index_is_owned(tmp_path: Path) -> None:
    index = EdgeIndex(tmp_path, "items-test", 8)
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    second = context.Process(target=own, args=(tmp_path, answer))
    second.start()
    assert answer.get(timeout=60) == "index_owned"
    second.join()
    index.close()
