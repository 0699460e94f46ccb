"""A server of vectors on a real port, and indexes over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.index import qdrant_connection
from shared.index.index_opening import open_index
from shared.index.vector_index import VectorIndex
from shared.settings import Settings
from tests.support.qdrant_server import QdrantServer, qdrant_server
from tests.unit.shared.index.qdrant_calls import NAME, WIDTH, OpenIndex


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
