"""One suite over every index: Qdrant Edge, `qdrant-client`'s in-memory mode in the place of a server, and that of unit tests.

The in-memory mode answers the same calls with the same types, but it is not a server: it has no graph, no payload indexes
and no replicas (it says so in two warnings, ignored here). What a real server adds is not tested here.
"""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from qdrant_client import QdrantClient

from shared.errors import InputError
from shared.index.edge_index import EdgeIndex
from shared.index.exact_neighbours import exact_neighbours
from shared.index.server_index import ServerIndex
from shared.index.vector_index import IndexedItem, VectorIndex
from tests.support.memory_index import MemoryIndex

pytestmark = pytest.mark.filterwarnings(
    "ignore:Local mode performs exact:UserWarning", "ignore:Payload indexes have no effect:UserWarning"
)

EVEN, ODD = "m-even", "m-odd"
WIDTH = 24
OpenIndex = Callable[..., VectorIndex]


@pytest.fixture(params=["edge", "server", "memory"])
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenIndex]:
    """Open an index of the given width; opened again, it is the same one."""
    memory = QdrantClient(":memory:") if request.param == "server" else None
    opened: list[VectorIndex] = []

    def open_one(dimensions: int = WIDTH, **views: object) -> VectorIndex:
        if memory is not None:
            return ServerIndex(memory, "items-test", dimensions, **views)  # type: ignore[arg-type]
        if request.param == "memory":
            return MemoryIndex(dimensions, **views)  # type: ignore[arg-type]
        opened.append(EdgeIndex(tmp_path, "items-test", dimensions, **views))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
    if memory is not None:
        memory.close()


def unit_rows(count: int, width: int = WIDTH, seed: int = 0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def items(count: int) -> list[IndexedItem]:
    """Items of which every second is in one manifest and the others in another."""
    ids = [str(uuid.UUID(int=number + 1)) for number in range(count)]
    return [IndexedItem(one, f"{at:064x}", (ODD if at % 2 else EVEN,)) for at, one in enumerate(ids)]


def filled(index: VectorIndex, vectors: NDArray[np.float32]) -> list[str]:
    stored = items(len(vectors))
    index.upsert(stored, vectors)
    return [item.item_id for item in stored]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("k", [1, 10, 50, 1000])
def test_neighbours_are_those_of_the_matrix_product(opens: OpenIndex, k: int, exact: bool) -> None:
    vectors = unit_rows(100)
    index = opens()
    ids = filled(index, vectors)
    expected, scores = exact_neighbours(vectors[:70], vectors[::2], k)
    many = index.neighbours_many(vectors[:70], k, EVEN, exact=exact)
    assert [[one.item_id for one in row] for row in many] == [[ids[2 * at] for at in row] for row in expected]
    np.testing.assert_allclose([[one.cosine for one in row] for row in many], scores, atol=1e-5)
    assert index.neighbours(vectors[3], k, EVEN, exact=exact) == pytest.approx(many[3])


def test_a_search_stays_within_its_manifest(opens: OpenIndex) -> None:
    index = opens()
    ids = filled(index, unit_rows(9))
    assert {one.item_id for one in index.neighbours(unit_rows(1)[0], 100, ODD, exact=True)} == set(ids[1::2])
    assert (index.count(EVEN), index.count(ODD), index.count("m-none")) == (5, 4, 0)
    assert index.neighbours(unit_rows(1)[0], 5, "m-none", exact=True) == []


def test_a_manifest_of_one_image_and_an_empty_index(opens: OpenIndex) -> None:
    index = opens()
    assert (index.cursor, index.count(EVEN)) == (0, 0)
    assert index.neighbours(unit_rows(1)[0], 1000, EVEN, exact=True) == []
    assert index.neighbours_many(np.empty((0, WIDTH), np.float32), 5, EVEN, exact=True) == []
    [only] = filled(index, unit_rows(1))
    assert [one.item_id for one in index.neighbours(unit_rows(1)[0], 1000, EVEN, exact=False)] == [only]
    index.upsert([], np.empty((0, WIDTH), np.float32))
    assert index.optimize() in {True, False}


def test_manifests_change_and_items_go(opens: OpenIndex) -> None:
    index = opens()
    ids = filled(index, unit_rows(6))
    index.set_manifests({ids[1]: [EVEN, "m-new"], ids[0]: [], str(uuid.uuid4()): ["m-new"]})
    assert (index.count(EVEN), index.count(ODD), index.count("m-new")) == (3, 2, 1)
    index.remove([ids[2], ids[1], str(uuid.uuid4())])
    assert (index.count(EVEN), index.count("m-new")) == (1, 0)
    assert [one.item_id for one in index.neighbours(unit_rows(1)[0], 9, EVEN, exact=True)] == [ids[4]]


def test_an_item_stored_again_is_replaced(opens: OpenIndex) -> None:
    index = opens()
    filled(index, unit_rows(4))
    moved = unit_rows(4, seed=9)
    ids = filled(index, moved)
    assert index.count(EVEN) == 2
    [nearest] = index.neighbours(moved[2], 1, EVEN, exact=True)
    assert (nearest.item_id, round(nearest.cosine, 4)) == (ids[2], 1.0)


def test_the_cursor_is_kept_apart_from_the_items_and_goes_with_them(opens: OpenIndex) -> None:
    index = opens()
    filled(index, unit_rows(4))
    index.commit(17)
    index.commit(19)
    assert (index.cursor, index.count(EVEN)) == (19, 2)
    assert len(index.neighbours(unit_rows(1)[0], 100, EVEN, exact=True)) == 2
    index.clear()
    assert (index.cursor, index.count(EVEN)) == (0, 0)


def test_dropped_and_filled_again_it_answers_the_same(opens: OpenIndex) -> None:
    vectors, index = unit_rows(60), opens()
    filled(index, vectors)
    before = index.neighbours_many(vectors[:10], 20, ODD, exact=True)
    index.clear()
    filled(index, vectors)
    assert index.neighbours_many(vectors[:10], 20, ODD, exact=True) == before


def test_an_item_with_several_views_is_found_once_by_its_best(opens: OpenIndex) -> None:
    index = opens(views=("whole", "mirror"))
    ids = filled(index, unit_rows(8))
    mirrors = unit_rows(8, seed=5)
    index.upsert([IndexedItem(one.item_id, one.blob_sha256, one.manifests, "mirror") for one in items(8)], mirrors)
    found = index.neighbours(mirrors[2], 3, EVEN, exact=True)
    assert (found[0].item_id, found[0].view, round(found[0].cosine, 4)) == (ids[2], "mirror", 1.0)
    assert len({one.item_id for one in found}) == 3
    assert index.count(EVEN) == 4
    best = np.maximum(unit_rows(8) @ mirrors[2], mirrors @ mirrors[2])[::2]
    every = index.neighbours(mirrors[2], 99, EVEN, exact=True)
    np.testing.assert_allclose([one.cosine for one in every], np.sort(best)[::-1], atol=1e-5)
    index.set_manifests({ids[2]: ["m-new"]})
    assert index.neighbours(mirrors[2], 1, "m-new", exact=True)[0].view == "mirror"
    index.remove([ids[2]])
    assert index.neighbours(mirrors[2], 1, "m-new", exact=True) == []


def test_what_cannot_be_found_again_is_not_stored(opens: OpenIndex) -> None:
    index, [item] = opens(), items(1)
    for vector in (np.zeros(WIDTH), np.full(WIDTH, np.nan), np.ones(WIDTH), np.array([np.inf] + [0.0] * (WIDTH - 1))):
        with pytest.raises(InputError) as caught:
            index.upsert([item], vector[None].astype(np.float32))
        assert caught.value.code == "index_vector_length"
        with pytest.raises(InputError):
            index.neighbours(vector.astype(np.float32), 1, EVEN, exact=True)
    for vectors in (unit_rows(1, WIDTH + 1), unit_rows(2)):
        with pytest.raises(InputError, match="expected vectors"):
            index.upsert([item], vectors)
    with pytest.raises(InputError, match="UUID"):
        index.upsert([IndexedItem("not-a-uuid", "00", ())], unit_rows(1))
    with pytest.raises(InputError, match="views"):
        index.upsert([IndexedItem(item.item_id, "00", (), "mirror")], unit_rows(1))
    with pytest.raises(InputError, match="k 0"):
        index.neighbours(unit_rows(1)[0], 0, EVEN, exact=True)
    assert index.count(EVEN) == 0


def test_a_search_says_what_it_rests_on(opens: OpenIndex) -> None:
    index = opens()
    filled(index, unit_rows(2))
    index.commit(7)
    exact, walked = index.describe(1000, exact=True), index.describe(1000, exact=False)
    assert exact["engine"] in {"qdrant-edge", "qdrant-server", "memory"}
    assert exact["version"]
    assert (exact["exact"], exact["hnsw_ef"], exact["cursor"]) == (True, None, 7)
    assert (walked["exact"], walked["hnsw_ef"]) == (False, 2000)


def test_a_search_without_a_manifest_is_among_all_items_and_nothing_else(opens: OpenIndex) -> None:
    index, vectors = opens(), unit_rows(10)
    index.upsert(items(10), vectors)
    index.commit(7)
    found = index.neighbours(vectors[3], 100, None, exact=True)
    assert found[0].item_id == items(10)[3].item_id
    assert {one.item_id for one in found} == {item.item_id for item in items(10)}
