"""What the tests of the index over a server write and ask, and the faults of its answers."""

import uuid
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shared.index.vector_index import IndexedItem, VectorIndex
from tests.support.qdrant_server import Fault, QdrantHandler

WIDTH, NAME = 4, "items-test"
ITEM_IDS = [str(uuid.UUID(int=number + 1)) for number in range(8)]
OpenIndex = Callable[..., VectorIndex]


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
