"""The index over a server that answers late, wrongly or not at all: real connections, bad answers on purpose."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import SecretStr

from shared.errors import CorruptStateError, InputError, UnavailableError
from shared.index import qdrant_connection, server_index
from shared.index.index_opening import open_index
from shared.index.qdrant_connection import open_client
from shared.index.server_index import ServerIndex
from shared.index.vector_index import IndexedItem, VectorIndex
from shared.settings import Settings
from tests.support.certificates import make_certificate, serving_tls
from tests.support.qdrant_server import MAX_BODY_BYTES, Fault, QdrantHandler, QdrantServer, qdrant_server, wait_until
from tests.support.web_server import LOOPBACK, Page, web_server

WIDTH, NAME = 4, "items-test"
ITEM_IDS = [str(uuid.UUID(int=number + 1)) for number in range(8)]
OpenIndex = Callable[..., VectorIndex]


@pytest.fixture
def server() -> Iterator[QdrantServer]:
    with qdrant_server() as site:
        yield site


@pytest.fixture
def opens(server: QdrantServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenIndex]:
    monkeypatch.setattr(qdrant_connection, "PROBE_SECONDS", 0.1)
    opened: list[VectorIndex] = []

    def open_one(width: int = WIDTH, **settings: object) -> VectorIndex:
        values = {"home": tmp_path, "qdrant_url": server.url, "qdrant_timeout_seconds": 1} | settings
        opened.append(open_index(Settings(**values), NAME, width))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    server.go_on()
    for index in opened:
        index.close()


def unit_rows(count: int, width: int = WIDTH) -> NDArray[np.float32]:
    rows = np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def fill(index: VectorIndex, width: int = WIDTH) -> None:
    items = [IndexedItem(item_id, "0" * 64, ("m",)) for item_id in ITEM_IDS]
    index.upsert(items, unit_rows(len(items), width))


def on(path: str, act: Callable[[QdrantHandler], None], query: str = "") -> Fault:
    """A fault of the requests to paths that end so, with these words in their query."""

    def fault(handler: QdrantHandler) -> bool:
        hit = handler.path.partition("?")[0].endswith(path) and query in handler.path
        if hit:
            act(handler)
        return hit

    return fault


def test_the_server_of_these_tests_is_an_index(opens: OpenIndex) -> None:
    index = opens()
    fill(index)
    index.commit(9)
    assert (index.count("m"), index.cursor) == (8, 9)
    assert index.neighbours(unit_rows(8)[3], 1, "m", exact=True)[0].item_id == ITEM_IDS[3]
    assert index.missing([ITEM_IDS[0], str(uuid.uuid4())])[1:] == []
    assert (index.vectors(ITEM_IDS[2:4]) == unit_rows(8)[2:4]).all()


@pytest.mark.parametrize(
    "body", [b"<html>Bad gateway</html>", b"{}", b"null", b'{"result": null}', b"[]", b'{"result": {', b""]
)
@pytest.mark.parametrize("status", [200, 502])
def test_what_is_no_answer_of_qdrant_is_unavailable(opens: OpenIndex, server: QdrantServer, body: bytes, status: int) -> None:
    index = opens()
    fill(index)
    server.fault = on("", lambda handler: handler.answer(status, body, "text/html"))
    calls: list[Callable[[], object]] = [
        lambda: index.cursor,
        lambda: index.count("m"),
        lambda: index.neighbours(unit_rows(1)[0], 5, "m", exact=True),
        lambda: index.missing(ITEM_IDS),
        lambda: index.set_manifests({ITEM_IDS[0]: ["m"]}),
        lambda: index.commit(3),
    ]
    for call in calls:
        with pytest.raises(UnavailableError) as caught:
            call()
        assert caught.value.code == "index_down"


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_does_not_count_has_a_code_of_its_own(opens: OpenIndex, server: QdrantServer, status: int) -> None:
    server.fault = on("", lambda handler: handler.answer(status, b"Must provide an API key"))
    with pytest.raises(UnavailableError, match="SLEEVE_QDRANT_API_KEY") as caught:
        _ = opens().cursor
    assert caught.value.code == "index_refused"


def test_a_server_that_drips_is_left_at_the_deadline(opens: OpenIndex, server: QdrantServer) -> None:
    index = opens()
    fill(index)
    server.fault = on("/points/count", lambda handler: handler.drip(0.1))
    started = time.monotonic()
    with pytest.raises(UnavailableError):
        index.count("m")
    assert time.monotonic() - started < 2.5


def test_an_answer_without_an_end_is_left(opens: OpenIndex, server: QdrantServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qdrant_connection, "MAX_ANSWER_BYTES", 2**20)
    index = opens(qdrant_timeout_seconds=30)
    fill(index)
    server.fault = on("/points/count", lambda handler: handler.pour(b" " * 2**16))
    started = time.monotonic()
    with pytest.raises(UnavailableError, match="at most 1,048,576 bytes"):
        index.count("m")
    assert time.monotonic() - started < 10


def test_https_trusts_the_certificates_that_the_environment_names(
    opens: OpenIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = make_certificate(tmp_path, "localhost")
    with qdrant_server(serving_tls(certificate, key)) as server:
        url = f"https://localhost:{server.port}"
        with pytest.raises(UnavailableError) as caught:
            _ = opens(qdrant_url=url).cursor
        assert caught.value.code == "index_down"
        assert server.seen == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert opens(qdrant_url=url, qdrant_api_key=SecretStr("k3y-of-mine")).cursor == 0
        assert {call.headers["api-key"] for call in server.seen} == {"k3y-of-mine"}
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        with pytest.raises(InputError, match="SSL_CERT_FILE"):
            opens(qdrant_url=url)


def test_a_server_that_is_silent_is_asked_once_and_found_again(opens: OpenIndex, server: QdrantServer) -> None:
    index = opens(qdrant_timeout_seconds=2)
    fill(index)
    server.hang()
    took: list[float] = []

    def ask() -> None:
        started = time.monotonic()
        with pytest.raises(UnavailableError):
            _ = index.cursor
        took.append(time.monotonic() - started)

    together = [threading.Thread(target=ask) for _ in range(60)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert len(took) == 60
    assert max(took) < 5
    asked = len(server.seen)
    started = time.monotonic()
    for _ in range(20):
        ask()
    assert time.monotonic() - started < 1
    assert len(server.seen) <= asked + 2
    server.go_on()
    wait_until(lambda: qdrant_answers(index))
    assert index.count("m") == 8


def qdrant_answers(index: VectorIndex) -> bool:
    try:
        return index.cursor >= 0
    except UnavailableError:
        return False


def test_a_key_goes_to_the_server_and_to_no_proxy(
    opens: OpenIndex, server: QdrantServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web_server(LOOPBACK) as proxy:
        proxy.anything = Page(b"{}")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://{LOOPBACK}:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        for host in ("127.0.0.1", "localhost"):
            index = opens(qdrant_url=f"http://{host}:{server.port}", qdrant_api_key=SecretStr("k3y-of-mine"))
            assert index.cursor == 0
        assert proxy.seen == []
    assert {call.headers["api-key"] for call in server.seen} == {"k3y-of-mine"}


@pytest.mark.parametrize(
    ("url", "reached"),
    [
        ("https://qdrant.example", "https://qdrant.example:443"),
        ("https://qdrant.example:6333", "https://qdrant.example:6333"),
        ("http://127.0.0.1", "http://127.0.0.1:6333"),
        ("https://qdrant.example/prefix", "https://qdrant.example:443/prefix"),
    ],
)
def test_a_url_without_a_port_means_the_port_of_its_scheme(url: str, reached: str) -> None:
    client = open_client(url, None, 1)
    assert client._client.rest_uri == reached  # type: ignore[attr-defined]
    client.close()


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


def test_vectors_wider_than_a_server_takes_are_refused_by_name(opens: OpenIndex) -> None:
    with pytest.raises(InputError, match="SLEEVE_EMBEDDER"):
        _ = opens(65_537).cursor


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


def test_a_request_that_is_rejected_leaves_the_server_in_use(opens: OpenIndex, server: QdrantServer) -> None:
    index = opens()
    fill(index)
    problem = json.dumps({"status": {"error": "Wrong input"}}).encode()
    server.fault = on("/points/count", lambda handler: handler.answer(400, problem, "application/json"))
    with pytest.raises(UnavailableError, match="Wrong input") as caught:
        index.count("m")
    assert caught.value.code == "index_rejected"
    assert index.cursor == 0
    assert isinstance(index, ServerIndex)
