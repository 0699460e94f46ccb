"""The connection to a server that answers late, wrongly or not at all: real connections, bad answers on purpose."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr
from qdrant_client.qdrant_remote import QdrantRemote

from shared.errors import InputError, UnavailableError
from shared.index import qdrant_connection
from shared.index.qdrant_connection import open_client
from shared.index.server_index import ServerIndex
from shared.index.vector_index import VectorIndex
from tests.support.certificates import make_certificate, serving_tls
from tests.support.qdrant_server import QdrantServer, qdrant_server, wait_until
from tests.support.web_server import LOOPBACK, Page, web_server
from tests.unit.shared.index.qdrant_calls import ITEM_IDS, OpenIndex, fill, on, unit_rows


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


@pytest.mark.parametrize("url", ["ftp://host:1", "host:6333", "http://"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        open_client(url, None, 1)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://qdrant.example:6333", "https://qdrant.example:6333"),
        ("https://qdrant.example", "https://qdrant.example:443"),
        ("http://127.0.0.1:6333", "http://127.0.0.1:6333"),
        ("http://[::1]:6333", "http://[::1]:6333"),
        ("http://localhost", "http://localhost:6333"),
    ],
)
def test_a_key_may_go_over_https_or_stay_on_this_machine(url: str, address: str) -> None:
    # Opened without a warning: here warnings are errors.
    client = open_client(url, "secret", 1)
    remote = client._client
    assert isinstance(remote, QdrantRemote)
    assert remote.rest_uri == address
    assert remote._rest_headers["api-key"] == "secret"
    client.close()


def test_a_key_reaches_the_server_and_without_one_none_is_sent(server: QdrantServer) -> None:
    for key in ("secret", None):
        client = open_client(server.url, key, 5)
        assert not client.collection_exists("none")
        client.close()
    sent = [{name.lower(): value for name, value in call.headers.items()}.get("api-key") for call in server.seen]
    assert sent == ["secret", None]
