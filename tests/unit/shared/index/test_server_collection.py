"""A collection that another process drops, makes or leaves half made, and what the server says of its writes."""

import threading
from collections.abc import Callable

import pytest

from shared.errors import CorruptStateError, InputError, UnavailableError
from shared.index.vector_index import VectorIndex
from tests.support.qdrant_server import QdrantHandler, QdrantServer
from tests.unit.shared.index.qdrant_calls import ITEM_IDS, NAME, OpenIndex, fill, on, unit_rows


def test_vectors_wider_than_a_server_takes_are_refused_by_name(opens: OpenIndex) -> None:
    with pytest.raises(InputError, match="SLEEVE_EMBEDDER"):
        _ = opens(65_537).cursor


def test_that_another_process_made_the_collection_first_is_success(opens: OpenIndex, server: QdrantServer) -> None:
    together = threading.Barrier(8)

    def wait(handler: QdrantHandler) -> bool:
        if handler.command == "PUT" and handler.path.endswith(NAME):
            together.wait(5)
        return False

    server.fault = wait
    indexes = [opens(qdrant_timeout_seconds=10) for _ in range(8)]
    failures: list[Exception] = []

    def use(index: VectorIndex) -> None:
        try:
            fill(index)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(index,)) for index in indexes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    server.fault = None
    assert len({index.instance for index in indexes if index.cursor == 0}) == 1
    assert {index.count("m") for index in indexes} == {8}


def test_payload_indexes_that_a_killed_process_left_out_are_made(opens: OpenIndex, server: QdrantServer) -> None:
    fill(opens())
    server.collections[NAME].indexes = {"item": "keyword", "view": "text"}
    server.fault = on("/index", lambda handler: handler.result({"operation_id": 1, "status": "acknowledged"}))
    with pytest.raises(UnavailableError) as caught:
        opens().count("m")
    assert caught.value.code == "index_unconfirmed"
    server.fault = None
    assert opens().count("m") == 8
    assert server.collections[NAME].indexes == dict.fromkeys(("item", "view", "blob_sha256", "manifests"), "keyword")


@pytest.mark.parametrize("distance", ["Euclid", "Dot", "Manhattan"])
def test_a_collection_of_another_distance_is_refused_with_what_to_do(
    opens: OpenIndex, server: QdrantServer, distance: str
) -> None:
    fill(opens())
    server.collections[NAME].params["vectors"]["distance"] = distance
    index = opens()
    with pytest.raises(CorruptStateError, match=f"{distance}.*sleeve gate index rebuild") as caught:
        index.count("m")
    assert caught.value.code == "index_distance"
    index.clear()
    assert server.collections[NAME].params["vectors"]["distance"] == "Cosine"
    assert index.count("m") == 0


@pytest.mark.parametrize("status", ["acknowledged", "wait_timeout"])
def test_a_write_counts_once_it_is_completed(opens: OpenIndex, server: QdrantServer, status: str) -> None:
    index = opens()
    fill(index)
    writes: list[Callable[[], object]] = [
        lambda: fill(index),
        lambda: index.set_manifests({ITEM_IDS[0]: ["m"]}),
        lambda: index.remove(ITEM_IDS[:1]),
        lambda: index.commit(9),
    ]
    answer = {"operation_id": 1, "status": status}
    server.fault = on("", lambda handler: handler.result(answer), query="wait=true")
    for write in writes:
        with pytest.raises(UnavailableError) as caught:
            write()
        assert caught.value.code == "index_unconfirmed"
    server.fault = None
    assert index.cursor == 0


def test_writes_and_reads_ask_a_majority_of_the_replicas(opens: OpenIndex, server: QdrantServer) -> None:
    index = opens(qdrant_replicas=3)
    fill(index)
    index.neighbours(unit_rows(1)[0], 5, "m", exact=True)
    params = server.collections[NAME].params
    assert (params["replication_factor"], params["write_consistency_factor"]) == (3, 2)
    assert [call.path for call in server.seen if "/query" in call.path][-1].endswith("consistency=majority")


def test_a_damaged_cursor_says_what_to_do(opens: OpenIndex, server: QdrantServer) -> None:
    index = opens()
    index.commit(4)
    for payload in ({}, {"log_size": "four"}, {"log_size": None}):
        server.collections[NAME].points["00000000-0000-0000-0000-000000000000"] = ([1.0, 0, 0, 0], payload)
        with pytest.raises(CorruptStateError, match="sleeve gate index rebuild") as caught:
            _ = index.cursor
        assert caught.value.code == "index_damaged"
