"""The server's index where there is no server, and where the settings say something that cannot be."""

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from qdrant_client import QdrantClient

from shared.errors import CorruptStateError, InputError, UnavailableError
from shared.index.edge_index import EdgeIndex
from shared.index.index_opening import open_index
from shared.index.qdrant_connection import open_client
from shared.index.server_index import ServerIndex
from shared.settings import Settings

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


@pytest.mark.parametrize("url", ["ftp://host:1", "host:6333", "http://"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        open_client(url, None, 1)


def test_a_key_does_not_travel_in_clear_text(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, qdrant_url="http://qdrant.example:6333", qdrant_api_key=SecretStr("k3y-of-mine"))
    with pytest.raises(InputError, match="https") as caught:
        open_index(settings, "items-test", 4)
    assert "k3y-of-mine" not in str(caught.value)
    assert "k3y-of-mine" not in repr(settings)


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection:UserWarning")
def test_a_key_may_go_over_https_or_stay_on_this_machine() -> None:
    for url in ("https://qdrant.example:6333", "http://127.0.0.1:6333", "http://[::1]:6333", "http://localhost:6333"):
        open_client(url, "secret", 1).close()


def test_without_a_url_the_index_is_embedded(tmp_path: Path) -> None:
    index = open_index(Settings(home=tmp_path, qdrant_url=None), "items-test", 4)
    assert isinstance(index, EdgeIndex)
    index.close()
