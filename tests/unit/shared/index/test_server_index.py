"""The index over a server: its requests, a collection that is dropped, no server at all, and settings that cannot be."""

import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from qdrant_client import QdrantClient

from shared.errors import CorruptStateError, InputError, UnavailableError
from shared.index import server_index
from shared.index.edge_index import EdgeIndex
from shared.index.index_opening import open_index
from shared.index.server_index import ServerIndex
from shared.index.vector_index import IndexedItem
from shared.settings import Settings
from tests.support.qdrant_server import MAX_BODY_BYTES, QdrantServer
from tests.unit.shared.index.qdrant_calls import ITEM_IDS, NAME, OpenIndex, fill, unit_rows

VECTOR = np.eye(4, dtype=np.float32)[0]


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts a connection and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def open_at(tmp_path: Path, port: int) -> ServerIndex:
    settings = Settings(home=tmp_path, qdrant_url=f"http://127.0.0.1:{port}", qdrant_timeout_seconds=1)
    index = open_index(settings, "items-test", 4)
    assert isinstance(index, ServerIndex)
    return index


def test_every_call_to_a_server_that_is_not_there_is_unavailable(tmp_path: Path, closed_port: int) -> None:
    index = open_at(tmp_path, closed_port)
    calls = [
        lambda: index.cursor,
        lambda: index.count("m"),
        lambda: index.neighbours(VECTOR, 5, "m", exact=True),
        lambda: index.set_manifests({"a": ["m"]}),
        lambda: index.remove(["00000000-0000-0000-0000-000000000001"]),
        lambda: index.commit(3),
        index.clear,
    ]
    for call in calls:
        with pytest.raises(UnavailableError, match="Qdrant server") as caught:
            call()
        assert caught.value.code == "index_down"
    assert index.describe(10, exact=True)["cursor"] == 0
    index.close()


def test_a_server_that_does_not_answer_in_time_is_unavailable(tmp_path: Path, silent_port: int) -> None:
    index = open_at(tmp_path, silent_port)
    with pytest.raises(UnavailableError):
        index.count("m")
    index.close()


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")
def test_a_collection_of_another_width_is_refused() -> None:
    memory = QdrantClient(":memory:")
    assert ServerIndex(memory, "items-test", 4).count("m") == 0
    with pytest.raises(CorruptStateError, match="width 4, expected 5"):
        ServerIndex(memory, "items-test", 5).count("m")
    memory.close()


def test_a_key_does_not_travel_in_clear_text(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, qdrant_url="http://qdrant.example:6333", qdrant_api_key=SecretStr("k3y-of-mine"))
    with pytest.raises(InputError, match="https") as caught:
        open_index(settings, "items-test", 4)
    assert "k3y-of-mine" not in str(caught.value)
    assert "k3y-of-mine" not in repr(settings)


def test_without_a_url_the_index_is_embedded(tmp_path: Path) -> None:
    index = open_index(Settings(home=tmp_path, qdrant_url=None), "items-test", 4)
    assert isinstance(index, EdgeIndex)
    index.close()


def test_the_server_of_these_tests_is_an_index(opens: OpenIndex) -> None:
    index = opens()
    fill(index)
    index.commit(9)
    assert (index.count("m"), index.cursor) == (8, 9)
    assert index.neighbours(unit_rows(8)[3], 1, "m", exact=True)[0].item_id == ITEM_IDS[3]
    assert index.missing([ITEM_IDS[0], str(uuid.uuid4())])[1:] == []
    assert (index.vectors(ITEM_IDS[2:4]) == unit_rows(8)[2:4]).all()


def test_wide_vectors_go_in_requests_that_the_server_takes(opens: OpenIndex, server: QdrantServer) -> None:
    width = 56 * 56 * 3
    index = opens(width, qdrant_timeout_seconds=60)
    items = [IndexedItem(str(uuid.UUID(int=number + 1)), "0" * 64, ("m",)) for number in range(256)]
    vectors = unit_rows(256, width)
    index.upsert(items, vectors)
    assert max(call.body_bytes for call in server.seen) < MAX_BODY_BYTES / 3
    assert index.count("m") == 256
    nearest = index.neighbours_many(vectors[:64], 1, "m", exact=True)
    assert [row[0].item_id for row in nearest] == [item.item_id for item in items[:64]]


def test_requests_are_measured_in_bytes() -> None:
    whole = server_index.REQUEST_BYTES
    assert [*server_index._split([whole, 1, 1, 2 * whole, 1])] == [slice(0, 1), slice(1, 3), slice(3, 4), slice(4, 5)]
    assert [*server_index._split([1] * 5, 2)] == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert [*server_index._split([])] == []


def test_a_collection_that_is_dropped_is_made_again_by_the_next_read(opens: OpenIndex, server: QdrantServer) -> None:
    index = opens()
    fill(index)
    index.commit(9)
    before = index.instance
    server.collections.clear()
    assert (index.cursor, index.count("m")) == (0, 0)
    assert index.instance != before
    assert set(server.collections[NAME].indexes) == {"item", "view", "blob_sha256", "manifests"}


def test_what_is_written_to_a_dropped_collection_is_not_believed(opens: OpenIndex, server: QdrantServer) -> None:
    writer, reader = opens(), opens()
    fill(writer)
    assert reader.cursor == 0
    server.collections.clear()
    with pytest.raises(UnavailableError) as caught:
        fill(writer)
    assert caught.value.code == "index_lost"
    # The cursor was read in one collection: it is not moved in another, which somebody else made meanwhile.
    assert writer.cursor == 0
    server.collections.clear()
    assert reader.cursor == 0
    with pytest.raises(UnavailableError) as caught:
        writer.commit(9)
    assert caught.value.code == "index_lost"
    assert reader.cursor == 0
