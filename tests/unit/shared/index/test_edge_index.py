"""The embedded index: what is particular to it, one owner, a cursor beside the shard, and a graph on demand."""

import multiprocessing
import uuid
from pathlib import Path

import numpy as np
import pytest

from shared.errors import CorruptStateError, UnavailableError
from shared.index.edge_index import EdgeIndex, discard_shard
from shared.index.exact_neighbours import exact_neighbours
from shared.index.vector_index import IndexedItem

MANIFEST = "m-1"


def filled(folder: Path, count: int, width: int = 8) -> EdgeIndex:
    index = EdgeIndex(folder, "items-test", width)
    rows = np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index.upsert([IndexedItem(str(uuid.UUID(int=at + 1)), "00", (MANIFEST,)) for at in range(count)], rows)
    return index


def test_the_index_and_its_cursor_survive_closing(tmp_path: Path) -> None:
    index = filled(tmp_path, 20)
    assert index.cursor == 0
    index.commit(17)
    index.close()
    again = EdgeIndex(tmp_path, "items-test", 8)
    assert (again.cursor, again.count(MANIFEST)) == (17, 20)
    again.close()


def test_an_index_without_a_cursor_starts_anew(tmp_path: Path) -> None:
    filled(tmp_path, 20).close()
    again = EdgeIndex(tmp_path, "items-test", 8)
    assert (again.cursor, again.count(MANIFEST)) == (0, 0)
    again.close()


def test_a_damaged_cursor_is_said_and_the_index_stays_free(tmp_path: Path) -> None:
    index = filled(tmp_path, 2)
    index.commit(3)
    index.close()
    cursor = tmp_path / "items-test" / "cursor.json"
    cursor.write_text("{", encoding="utf-8")
    with pytest.raises(CorruptStateError):
        EdgeIndex(tmp_path, "items-test", 8)
    cursor.unlink()
    EdgeIndex(tmp_path, "items-test", 8).close()


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


def test_a_failing_engine_is_unavailable(tmp_path: Path) -> None:
    index = filled(tmp_path, 2)
    index.close()
    with pytest.raises(UnavailableError) as caught:
        index.neighbours(np.eye(8, dtype=np.float32)[0], 1, MANIFEST, exact=True)
    assert caught.value.code == "index_failed"


def test_the_graph_finds_what_the_product_finds(tmp_path: Path) -> None:
    # Above the engine's threshold of 10,000 kB of vectors, below which it builds none.
    count, width = 6000, 512
    rng = np.random.default_rng(1)
    corpus = (rng.normal(size=(count, 16)) @ rng.normal(size=(16, width))).astype(np.float32)
    corpus /= np.linalg.norm(corpus, axis=1, keepdims=True)
    index = EdgeIndex(tmp_path, "items-graph", width)
    ids = [str(uuid.UUID(int=at + 1)) for at in range(count)]
    index.upsert([IndexedItem(item_id, "00", (MANIFEST,)) for item_id in ids], corpus)
    assert index.optimize()
    assert not index.optimize()
    expected, _ = exact_neighbours(corpus[:5], corpus, 100)
    neighbours = index.neighbours_many(corpus[:5], 100, MANIFEST, exact=False)
    shares = [
        len({neighbour.item_id for neighbour in row} & {ids[at] for at in truth}) / 100
        for row, truth in zip(neighbours, expected, strict=True)
    ]
    assert min(shares) >= 0.97
    index.close()


@pytest.mark.parametrize(("file", "how"), [("edge_config.json", "garbage"), ("segment.json", "gone"), ("status.dat", "empty")])
def test_a_damaged_shard_says_what_to_do_and_is_removed_unopened(tmp_path: Path, file: str, how: str) -> None:
    index = filled(tmp_path, 20)
    index.commit(3)
    index.close()
    for path in (tmp_path / "items-test" / "shard").rglob(file):
        path.unlink() if how == "gone" else path.write_bytes(b"\xff" * path.stat().st_size if how == "garbage" else b"")
    with pytest.raises(UnavailableError, match="sleeve gate index rebuild") as caught:
        EdgeIndex(tmp_path, "items-test", 8).count(MANIFEST)
    assert caught.value.code == "index_failed"
    discard_shard(tmp_path, "items-test")
    again = EdgeIndex(tmp_path, "items-test", 8)
    assert (again.cursor, again.count(MANIFEST)) == (0, 0)
    again.close()


def test_vectors_that_a_disk_damaged_are_not_handed_out(tmp_path: Path) -> None:
    index = filled(tmp_path, 20)
    index.commit(3)
    index.close()
    for path in (tmp_path / "items-test" / "shard").rglob("chunk_0.mmap"):
        path.write_bytes(b"\xff" * path.stat().st_size)
    index = EdgeIndex(tmp_path, "items-test", 8)
    with pytest.raises(CorruptStateError, match="sleeve gate index rebuild") as caught:
        index.vectors([str(uuid.UUID(int=1))])
    assert caught.value.code == "index_damaged"
    index.close()
