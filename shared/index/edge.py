"""The embedded vector index: Qdrant's own engine in this process (`qdrant-edge-py`), one shard a collection.

Rules, in order:

1. One process owns a shard. A second one gets a clear error, not a corrupted index.
2. The index is a projection of the log: `cursor` says how many log entries it has taken in. The cursor is written after
   the points it speaks for are flushed, so after a crash the index repeats work and never skips any.
3. A search is always within one manifest.
"""

import fcntl
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from uuid import UUID

import numpy as np
import qdrant_edge as qdrant
from numpy.typing import NDArray

from shared.errors import CorruptStateError, UnavailableError

ENGINE = "qdrant-edge"
# Points a call: bounds the memory of one upsert.
BATCH_POINTS = 1000


@dataclass(frozen=True)
class Neighbour:
    """An item near a query: its id and the cosine, −1..1."""

    item_id: str
    cosine: float


class EdgeIndex:
    """A collection of item vectors in an Edge shard.

    Args:
        folder: the index's folder, made where it is missing.
        collection: name of the collection; a shard of its own below the folder.
        dimensions: width of the vectors.

    Raises:
        UnavailableError: another process owns the shard.
    """

    def __init__(self, folder: Path, collection: str, dimensions: int) -> None:
        self.folder = folder / collection
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = _own(self.folder / "owner.lock")
        self._cursor_path = self.folder / "cursor.json"
        self._shard = _open_shard(self.folder / "shard", self._cursor_path, dimensions)
        self.dimensions = dimensions

    @property
    def cursor(self) -> int:
        """How many log entries the index has taken in."""
        if not self._cursor_path.exists():
            return 0
        try:
            return int(json.loads(self._cursor_path.read_text(encoding="utf-8"))["log_size"])
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptStateError(f"index cursor cannot be read: {self._cursor_path}") from error

    def upsert(self, manifests: Mapping[str, Sequence[str]], vectors: NDArray[np.float32]) -> None:
        """Store items, replacing those that are there.

        Args:
            manifests: for each item id the manifests it belongs to, in the order of the vectors.
            vectors: shape (N, D), rows of length 1.
        """
        points = [
            qdrant.Point(item_id, row.tolist(), {"manifests": list(names)})
            for (item_id, names), row in zip(manifests.items(), vectors, strict=True)
        ]
        for start in range(0, len(points), BATCH_POINTS):
            self._shard.update(qdrant.UpdateOperation.upsert_points(points[start : start + BATCH_POINTS]))

    def set_manifests(self, manifests: Mapping[str, Sequence[str]]) -> None:
        """State which manifests items belong to.

        Args:
            manifests: manifest ids by item id; items with the same list are written together.
        """
        by_list: dict[tuple[str, ...], list[str]] = {}
        for item_id, names in manifests.items():
            by_list.setdefault(tuple(sorted(names)), []).append(item_id)
        for names, item_ids in by_list.items():
            for start in range(0, len(item_ids), BATCH_POINTS):
                batch: list[int | UUID | str] = [*item_ids[start : start + BATCH_POINTS]]
                self._shard.update(qdrant.UpdateOperation.set_payload(batch, {"manifests": list(names)}))

    def commit(self, log_size: int) -> None:
        """Make everything durable and move the cursor to this many log entries."""
        self._shard.flush()
        temporary = self._cursor_path.with_suffix(".new")
        temporary.write_text(json.dumps({"log_size": log_size}), encoding="utf-8")
        temporary.replace(self._cursor_path)

    def neighbours(self, vector: NDArray[np.float32], k: int, manifest_id: str, *, exact: bool) -> list[Neighbour]:
        """Find the items of a manifest nearest to a vector.

        Args:
            vector: shape (D,), length 1.
            k: how many at most.
            manifest_id: search among its items only.
            exact: compare with every vector instead of walking the graph.

        Returns:
            Neighbours, nearest first.
        """
        request = qdrant.QueryRequest(
            limit=k,
            query=qdrant.Query.Nearest(vector.tolist()),
            filter=_in_manifest(manifest_id),
            params=qdrant.SearchParams(exact=exact),
        )
        return [Neighbour(str(point.id), float(point.score)) for point in self._shard.query(request)]

    def count(self, manifest_id: str) -> int:
        """Return how many items of a manifest the index holds."""
        return int(self._shard.count(qdrant.CountRequest(exact=True, filter=_in_manifest(manifest_id))))

    def close(self) -> None:
        """Flush, release the shard and let another process own it."""
        self._shard.close()
        self._lock.close()


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


def _open_shard(path: Path, cursor_path: Path, dimensions: int) -> qdrant.EdgeShard:
    if cursor_path.exists() and path.is_dir():
        return qdrant.EdgeShard.load(str(path))
    # Without both there is nothing that can be trusted; the index is rebuilt from the log.
    cursor_path.unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    vectors = qdrant.EdgeVectorParams(size=dimensions, distance=qdrant.Distance.Cosine)
    shard = qdrant.EdgeShard.create(str(path), qdrant.EdgeConfig(vectors=vectors))
    shard.update(qdrant.UpdateOperation.create_field_index("manifests", qdrant.PayloadSchemaType.Keyword))
    return shard


def _in_manifest(manifest_id: str) -> qdrant.Filter:
    return qdrant.Filter(must=[qdrant.FieldCondition("manifests", match=qdrant.MatchValue(manifest_id))])
