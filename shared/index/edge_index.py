"""The embedded vector index: Qdrant's own engine in this process (`qdrant-edge-py`), one shard a collection.

Rules, in order, beside those of `vector_index`:

1. One process owns a shard. A second one gets a clear error, not a corrupted index.
2. A write is flushed before it returns. The cursor is a file of its own, replaced whole after that.
3. A shard without a cursor, or a cursor without a shard, is not trusted: both are removed, and the log fills the index again.
4. The instance is a file of its own, drawn with the shard.
5. The engine maps its files. So each write reserves its blocks on the disk before (`disk_reserve`).
6. The engine builds a graph only when `optimize` asks for it. Points without a graph are compared one by one.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import qdrant_edge as qdrant
from numpy.typing import NDArray

from shared.errors import CorruptStateError, UnavailableError
from shared.files import save_atomically
from shared.ids import new_id
from shared.index.disk_reserve import reserve
from shared.index.vector_index import (
    BATCH_POINTS,
    BATCH_QUERIES,
    ITEM,
    KEYWORDS,
    MANIFESTS,
    REBUILD,
    VIEW,
    WHOLE,
    IndexedItem,
    Neighbour,
    by_manifests,
    hnsw_ef,
    order_vectors,
    payload,
    point_id,
    point_ids,
    read_neighbours,
    verify_items,
    verify_k,
    verify_vectors,
)

ENGINE = "qdrant-edge"
# Entries without anything for the index whose cursor is not saved yet: reading them again takes a moment.
UNSAVED_ENTRIES = 1024
# Of a point beside its vector: id and payload, in the engine's journal and in its own files.
POINT_BYTES = 1024
# Of any file, for what the engine writes beside points.
RESERVED_BYTES = 2**18


class EdgeIndex:
    """A collection of item vectors in an Edge shard.

    Args:
        folder: the index's folder, made where it is missing.
        collection: name of the collection; a shard of its own below the folder.
        dimensions: width of the vectors.
        views: the views that an item may have, the whole picture first.

    Raises:
        UnavailableError: another process owns the shard, or the engine cannot open it.
        CorruptStateError: the cursor cannot be read.
    """

    def __init__(self, folder: Path, collection: str, dimensions: int, views: Sequence[str] = (WHOLE,)) -> None:
        self.folder = folder / collection
        self.folder.mkdir(parents=True, exist_ok=True)
        self.dimensions = dimensions
        self.views = tuple(views)
        self._cursor_path = self.folder / "cursor.json"
        self._instance_path = self.folder / "instance"
        self._lock = _own(self.folder / "owner.lock")
        try:
            self._shard = self._open_shard()
            self.instance = self._load_instance()
            self._cursor = self._saved = _load_cursor(self._cursor_path)
            # Whether the shard holds anything that the saved cursor does not speak for.
            self._is_written = True
        except BaseException:
            self._lock.close()
            raise

    @property
    def cursor(self) -> int:
        """How many log entries the index has taken in.

        Raises:
            UnavailableError: the index was closed.
        """
        if self._lock.closed:
            raise UnavailableError("the search engine was closed", code="index_failed")
        return self._cursor

    def upsert(self, items: Sequence[IndexedItem], vectors: NDArray[np.float32]) -> None:
        """Store points, replacing those that are there; durable on return.

        Args:
            items: whose vectors they are.
            vectors: shape (N, D), rows of length 1, in the order of the items.

        Raises:
            InputError: a vector or item cannot be stored.
            UnavailableError: the engine failed.
        """
        verify_items(items, self.views)
        rows = verify_vectors(vectors, len(items), self.dimensions)
        self._is_written = True
        points = [
            qdrant.Point(point_id(item.item_id, item.view), row, payload(item)) for item, row in zip(items, rows, strict=True)
        ]
        with _engine():
            for batch in _batches(points):
                self._reserve(len(batch))
                self._shard.update(qdrant.UpdateOperation.upsert_points(batch))
            self._shard.flush()

    def set_manifests(self, manifests: Mapping[str, Sequence[str]]) -> None:
        """State which manifests items belong to; durable on return.

        Args:
            manifests: manifest ids by item id; items with the same list are written together.

        Raises:
            UnavailableError: the engine failed; an item that is not in the index is passed over.
        """
        self._is_written = True
        with _engine():
            for names, item_ids in by_manifests(manifests).items():
                for batch in _batches(point_ids(item_ids, self.views)):
                    present = self._present(batch)
                    self._reserve(len(present))
                    self._shard.update(qdrant.UpdateOperation.set_payload(present, {MANIFESTS: list(names)}))
            self._shard.flush()

    def remove(self, item_ids: Sequence[str]) -> None:
        """Take items out, with all their views; durable on return."""
        self._is_written = True
        with _engine():
            for batch in _batches(point_ids(item_ids, self.views)):
                self._reserve(len(batch))
                self._shard.update(qdrant.UpdateOperation.delete_points([*batch]))
            self._shard.flush()

    def commit(self, log_size: int) -> None:
        """Move the cursor to this many log entries.

        Where nothing was written to the shard since, as after most checks, only memory learns of it for a while: a crash then
        reads these entries again, and there is nothing in them.
        """
        if self._is_written or log_size - self._saved >= UNSAVED_ENTRIES:
            with _engine():
                self._shard.flush()
            self._save_cursor(log_size)
        self._cursor = log_size

    def _save_cursor(self, log_size: int) -> None:
        save_atomically(self._cursor_path, json.dumps({"log_size": log_size}).encode())
        self._saved, self._is_written = log_size, False

    def neighbours(self, vector: NDArray[np.float32], k: int, manifest_id: str | None, *, exact: bool) -> list[Neighbour]:
        """Find the items of a manifest nearest to a vector.

        Args:
            vector: shape (D,), length 1.
            k: how many items at most, at least 1; all of them where the manifest has fewer.
            manifest_id: search among its items only; None searches all.
            exact: compare with every vector instead of walking the graph.

        Returns:
            Neighbours, nearest first.

        Raises:
            InputError: k below 1, or a vector of another width or length.
            UnavailableError: the engine failed.
        """
        return self.neighbours_many(vector[None], k, manifest_id, exact=exact)[0]

    def neighbours_many(
        self, vectors: NDArray[np.float32], k: int, manifest_id: str | None, *, exact: bool
    ) -> list[list[Neighbour]]:
        """Find the neighbours of each vector, shape (N, D); as `neighbours`, the engine sharing its passes among them."""
        verify_k(k)
        rows = verify_vectors(vectors, len(vectors), self.dimensions)
        neighbours: list[list[Neighbour]] = []
        with _engine():
            for batch in _batches(rows, BATCH_QUERIES):
                requests = [self._request(row, k, manifest_id, exact) for row in batch]
                answers = self._shard.query_batch(qdrant.QueryBatchRequest(requests))
                neighbours += [read_neighbours(points, k, views=len(self.views)) for points in answers]
        return neighbours

    def count(self, manifest_id: str) -> int:
        """Return how many items of a manifest the index holds."""
        whole = [] if len(self.views) == 1 else [_is(VIEW, WHOLE)]
        within = qdrant.Filter(must=[_is(MANIFESTS, manifest_id), *whole])
        with _engine():
            return int(self._shard.count(qdrant.CountRequest(exact=True, filter=within)))

    def vectors(self, item_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of whole pictures.

        Args:
            item_ids: whose.

        Returns:
            float32 (N, D), rows of length 1, in their order.

        Raises:
            NotFoundError: one is not in the index.
            UnavailableError: the engine failed.
        """
        vectors: list[tuple[str, Any]] = []
        with _engine():
            for batch in _batches(item_ids):
                records = self._shard.retrieve([*batch], with_payload=False, with_vector=True)
                vectors += [(str(record.id), record.vector) for record in records]
        return order_vectors(item_ids, vectors, self.dimensions)

    def missing(self, item_ids: Sequence[str]) -> list[str]:
        """Return those of the items whose whole picture the index does not hold, in their order."""
        present: set[str] = set()
        with _engine():
            for batch in _batches(item_ids):
                present |= {str(item_id) for item_id in self._present(batch)}
        return [item_id for item_id in item_ids if item_id not in present]

    def clear(self) -> None:
        """Drop every point and the cursor, to be filled from the log again."""
        with _engine():
            self._shard.close()
        self._cursor_path.unlink(missing_ok=True)
        self._shard, self._cursor, self._saved, self._is_written = self._open_shard(), 0, 0, True
        self.instance = self._load_instance()

    def optimize(self) -> bool:
        """Build the graph over what has none: minutes for 100,000 items; False where there was nothing to do."""
        size_bytes = sum(path.stat().st_blocks * 512 for path in self.folder.rglob("*"))
        with _engine():
            # A graph is written beside what it is made of.
            reserve(self.folder, size_bytes // 4)
            return bool(self._shard.optimize())

    def describe(self, k: int, *, exact: bool) -> dict[str, Any]:
        """Say what a search for k neighbours rests on."""
        return {
            "engine": ENGINE,
            "version": version("qdrant-edge-py"),
            "exact": exact,
            "hnsw_ef": None if exact else hnsw_ef(k * len(self.views)),
            "cursor": self._cursor,
        }

    def close(self) -> None:
        """Flush, release the shard and let another process own it."""
        self._shard.close()
        if not self._is_written and self._cursor != self._saved:
            self._save_cursor(self._cursor)
        self._lock.close()

    def _request(self, row: NDArray[np.float32], k: int, manifest_id: str | None, exact: bool) -> qdrant.QueryRequest:
        # k items need up to k times as many points as an item has views.
        limit = k * len(self.views)
        return qdrant.QueryRequest(
            limit=limit,
            query=qdrant.Query.Nearest(row.tolist()),
            filter=None if manifest_id is None else qdrant.Filter(must=[_is(MANIFESTS, manifest_id)]),
            params=qdrant.SearchParams(exact=exact, hnsw_ef=None if exact else hnsw_ef(limit)),
            # With one view the point's id is the item's, and payloads need not be read.
            with_payload=False if len(self.views) == 1 else [ITEM, VIEW],
        )

    def _present(self, ids: Sequence[str]) -> list[int | UUID | str]:
        records = self._shard.retrieve([*ids], with_payload=False, with_vector=False)
        return [str(record.id) for record in records]

    def _reserve(self, points: int) -> None:
        reserve(self.folder, 2 * points * (4 * self.dimensions + POINT_BYTES) + RESERVED_BYTES)

    def _open_shard(self) -> qdrant.EdgeShard:
        path = self.folder / "shard"
        with _engine():
            self._reserve(0)
            if self._cursor_path.exists() and path.is_dir():
                return qdrant.EdgeShard.load(str(path))
            # Without both there is nothing that can be trusted; the index is rebuilt from the log.
            self._cursor_path.unlink(missing_ok=True)
            self._instance_path.unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
            vectors = qdrant.EdgeVectorParams(size=self.dimensions, distance=qdrant.Distance.Cosine)
            shard = qdrant.EdgeShard.create(str(path), qdrant.EdgeConfig(vectors=vectors))
            for name in KEYWORDS:
                self._reserve(0)
                shard.update(qdrant.UpdateOperation.create_field_index(name, qdrant.PayloadSchemaType.Keyword))
            return shard

    def _load_instance(self) -> str:
        if not self._instance_path.exists():
            save_atomically(self._instance_path, new_id().encode())
        return self._instance_path.read_text(encoding="ascii", errors="replace")


def discard_shard(folder: Path, collection: str) -> None:
    """Remove a collection's shard and cursor without opening them: they may be damaged.

    Raises:
        UnavailableError: another process owns the shard.
    """
    place = folder / collection
    if not place.is_dir():
        return
    with _own(place / "owner.lock"):
        (place / "cursor.json").unlink(missing_ok=True)
        shutil.rmtree(place / "shard", ignore_errors=True)


@contextmanager
def _engine() -> Iterator[None]:
    try:
        yield
    except (UnavailableError, OSError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        # The engine raises bare `Exception`, and a panic of its Rust code is not even that.
        raise UnavailableError(f"the search engine failed: {error}; if it stays so, {REBUILD}", code="index_failed") from error


def _load_cursor(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["log_size"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptStateError(f"the index's cursor {path} cannot be read; {REBUILD}", code="index_damaged") from error


def _batches(things: Any, size: int = BATCH_POINTS) -> Iterator[Any]:
    return (things[start : start + size] for start in range(0, len(things), size))


def _own(path: Path) -> TextIOWrapper:
    lock = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise UnavailableError(
            f"the search index in {path.parent} is owned by another process; if a server is running, ask it instead",
            code="index_owned",
        ) from error
    return lock


def _is(field: str, value: str) -> qdrant.FieldCondition:
    return qdrant.FieldCondition(field, match=qdrant.MatchValue(value))
