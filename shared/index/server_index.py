"""The vector index on a Qdrant server, through `qdrant-client`: one collection, many processes.

Rules, in order, beside those of `vector_index`, `server_collection` and `qdrant_connection`:

1. A write waits until it is applied (`wait`), in the order of one leader (strong ordering), and counts once the server calls
   it completed.
2. The cursor is a point of the collection, in no manifest: it lives and dies with the points that it stands for. It moves
   only in the collection in which it was read.
3. Nothing is sent before the first use. So a gate starts without its server, and is undecided until it is there.
4. A request and its answer stay below the server's limit of 32 MiB, however wide the vectors are.
5. A collection that was dropped is made again by the next read, empty. A write to it fails: what came before it is missing.
6. The server builds and maintains the graph itself.

Source: Qdrant's documentation, "Distributed deployment", write ordering and consistency guarantees.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from shared.errors import UnavailableError
from shared.index.qdrant_connection import QdrantConnection
from shared.index.server_collection import (
    CURSOR_ID,
    CollectionPlan,
    PreparedCollection,
    prepare_collection,
    read_cursor,
    store_cursor,
    verify_completed,
)
from shared.index.vector_index import (
    BATCH_POINTS,
    BATCH_QUERIES,
    ITEM,
    MANIFESTS,
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

ENGINE = "qdrant-server"
# A quarter of what the server takes in one request: so much is sent within the time-out over a slow line as well.
REQUEST_BYTES = 8 * 2**20
# What a number takes in JSON at most, with its comma; what a point takes beside its vector; and one manifest's id.
NUMBER_BYTES, POINT_BYTES, MANIFEST_BYTES = 25, 512, 40

T = TypeVar("T")


class ServerIndex:
    """A collection of item vectors on a Qdrant server, made where it is missing.

    Args:
        client: a connection to the server; closed with the index.
        collection: name of the collection.
        dimensions: width of the vectors.
        views: the views that an item may have, the whole picture first.
        shards: shards of a new collection.
        replicas: copies of each shard of a new collection.
        timeout_seconds: how long one call may take.

    Every use raises UnavailableError where the server does not answer, and CorruptStateError where the collection holds
    vectors of another width or compares by another distance.
    """

    def __init__(
        self,
        client: QdrantClient,
        collection: str,
        dimensions: int,
        views: Sequence[str] = (WHOLE,),
        *,
        shards: int = 1,
        replicas: int = 1,
        timeout_seconds: float = 10.0,
    ) -> None:
        self.collection = collection
        self.dimensions = dimensions
        self.views = tuple(views)
        self._plan = CollectionPlan(collection, dimensions, shards, replicas)
        self._connection = QdrantConnection(client, timeout_seconds, lambda client: client.collection_exists(collection))
        self._preparing = threading.Lock()
        self._prepared: PreparedCollection | None = None
        self._version: str | None = None
        self._cursor_seen = 0

    @property
    def cursor(self) -> int:
        """How many log entries the index has taken in."""

        def read(client: QdrantClient, prepared: PreparedCollection) -> int:
            log_size, instance = read_cursor(client, self._plan, prepared.consistency)
            if instance != prepared.instance:
                raise _lost(self.collection)
            return log_size

        self._cursor_seen = self._read(read)
        return self._cursor_seen

    @property
    def instance(self) -> str:
        """Id of this collection, drawn when it was made."""
        return self._read(lambda _client, prepared: prepared.instance)

    def upsert(self, items: Sequence[IndexedItem], vectors: NDArray[np.float32]) -> None:
        """Store points, replacing those that are there; applied on return.

        Args:
            items: whose vectors they are.
            vectors: shape (N, D), rows of length 1, in the order of the items.

        Raises:
            InputError: a vector or item cannot be stored.
            UnavailableError: the server does not answer, or does not complete the write.
        """
        verify_items(items, self.views)
        rows = verify_vectors(vectors, len(items), self.dimensions)
        for part in _split([self._point_bytes(item) for item in items]):
            batch = models.Batch(
                ids=[point_id(item.item_id, item.view) for item in items[part]],
                vectors=rows[part].tolist(),
                payloads=[payload(item) for item in items[part]],
            )
            self._upsert(batch)

    def set_manifests(self, manifests: Mapping[str, Sequence[str]]) -> None:
        """State which manifests items belong to; items that are not in the index are passed over.

        Args:
            manifests: manifest ids by item id; items with the same list are written together.

        Raises:
            UnavailableError: the server does not answer, or does not complete the write.
        """
        for names, item_ids in by_manifests(manifests).items():
            for start in range(0, len(item_ids), BATCH_POINTS):
                batch = item_ids[start : start + BATCH_POINTS]
                points = models.Filter(must=[models.FieldCondition(key=ITEM, match=models.MatchAny(any=batch))])
                self._set_manifests(points, names)

    def remove(self, item_ids: Sequence[str]) -> None:
        """Take items out, with all their views."""
        ids: list[Any] = [*point_ids(item_ids, self.views)]
        for start in range(0, len(ids), BATCH_POINTS):
            points = models.PointIdsList(points=ids[start : start + BATCH_POINTS])
            self._delete(points)

    def commit(self, log_size: int) -> None:
        """Move the cursor to this many log entries; what it speaks for was applied before.

        Raises:
            UnavailableError: the server does not answer, or the collection was made anew since it was last read.
        """

        def act(client: QdrantClient, prepared: PreparedCollection) -> None:
            if read_cursor(client, self._plan, prepared.consistency)[1] != prepared.instance:
                raise _lost(self.collection)
            store_cursor(client, self._plan, prepared.instance, log_size)

        self._call(act)
        self._cursor_seen = log_size

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
            UnavailableError: the server does not answer.
        """
        return self.neighbours_many(vector[None], k, manifest_id, exact=exact)[0]

    def neighbours_many(
        self, vectors: NDArray[np.float32], k: int, manifest_id: str | None, *, exact: bool
    ) -> list[list[Neighbour]]:
        """Find the neighbours of each vector, shape (N, D); as `neighbours`, many in one request."""
        verify_k(k)
        rows = verify_vectors(vectors, len(vectors), self.dimensions)
        neighbours: list[list[Neighbour]] = []
        for part in _split([self._vector_bytes] * len(rows), BATCH_QUERIES):
            requests = [self._request(row, k, manifest_id, exact) for row in rows[part]]
            neighbours += self._search(requests, k)
        return neighbours

    def count(self, manifest_id: str) -> int:
        """Return how many items of a manifest the index holds."""
        within = models.Filter(must=[_is(MANIFESTS, manifest_id), _is(VIEW, WHOLE)])
        return self._read(lambda client, _prepared: int(client.count(self.collection, within, exact=True).count))

    def vectors(self, item_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of whole pictures, float32 (N, D), in the order of the items.

        Raises:
            NotFoundError: one is not in the index.
            UnavailableError: the server does not answer.
        """
        records: list[models.Record] = []
        for part in _split([self._vector_bytes] * len(item_ids)):
            records += self._retrieve(item_ids[part], with_vectors=True)
        return order_vectors(item_ids, ((str(record.id), record.vector) for record in records), self.dimensions)

    def missing(self, item_ids: Sequence[str]) -> list[str]:
        """Return those of the items whose whole picture the index does not hold, in their order."""
        present: set[str] = set()
        for start in range(0, len(item_ids), BATCH_POINTS):
            present |= {
                str(record.id) for record in self._retrieve(item_ids[start : start + BATCH_POINTS], with_vectors=False)
            }
        return [item_id for item_id in item_ids if item_id not in present]

    def clear(self) -> None:
        """Drop the collection, whatever it is, and make an empty one, to be filled from the log again."""
        with self._connection.calling() as client:
            self._prepared = None
            client.delete_collection(self.collection)
        with self._connection.calling() as client:
            self._prepare(client)
        self._cursor_seen = 0

    def optimize(self) -> bool:
        """Return False: the server builds its graph itself."""
        return False

    def describe(self, k: int, *, exact: bool) -> dict[str, Any]:
        """Say what a search for k neighbours rests on: version and cursor as last seen, nothing is asked of the server."""
        return {
            "engine": ENGINE,
            "version": self._version,
            "exact": exact,
            "hnsw_ef": None if exact else hnsw_ef(k * len(self.views)),
            "cursor": self._cursor_seen,
        }

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _call(self, ask: Callable[[QdrantClient, PreparedCollection], T]) -> T:
        try:
            with self._connection.calling() as client:
                return ask(client, self._prepared or self._prepare(client))
        except UnavailableError as error:
            if error.code == "index_lost":
                self._prepared = None
            raise

    def _read(self, ask: Callable[[QdrantClient, PreparedCollection], T]) -> T:
        try:
            return self._call(ask)
        except UnavailableError as error:
            if error.code != "index_lost":
                raise
        return self._call(ask)  # the collection was dropped since it was last used: an empty one answers

    def _write(self, act: Callable[[QdrantClient], models.UpdateResult]) -> None:
        self._call(lambda client, _prepared: verify_completed(act(client)))

    def _prepare(self, client: QdrantClient) -> PreparedCollection:
        with self._preparing:
            if self._prepared is None:
                prepared = prepare_collection(client, self._plan)
                self._version = prepared.version
                self._prepared = prepared
            return self._prepared

    def _retrieve(self, item_ids: Sequence[str], *, with_vectors: bool) -> list[models.Record]:
        return self._read(
            lambda client, prepared: client.retrieve(
                self.collection,
                [*item_ids],
                with_payload=False,
                with_vectors=with_vectors,
                consistency=prepared.consistency,
            )
        )

    def _upsert(self, batch: models.Batch) -> None:
        self._write(lambda client: client.upsert(self.collection, batch, wait=True, ordering=models.WriteOrdering.STRONG))

    def _set_manifests(self, points: models.Filter, names: Sequence[str]) -> None:
        fields = {MANIFESTS: list(names)}
        self._write(
            lambda client: client.set_payload(
                self.collection, fields, points=points, wait=True, ordering=models.WriteOrdering.STRONG
            )
        )

    def _delete(self, points: models.PointIdsList) -> None:
        self._write(lambda client: client.delete(self.collection, points, wait=True, ordering=models.WriteOrdering.STRONG))

    def _search(self, requests: Sequence[models.QueryRequest], k: int) -> list[list[Neighbour]]:
        def ask(client: QdrantClient, prepared: PreparedCollection) -> list[list[Neighbour]]:
            answers = client.query_batch_points(self.collection, requests, consistency=prepared.consistency)
            if len(answers) != len(requests):
                raise UnavailableError(
                    f"the Qdrant server answered {len(answers)} of {len(requests)} searches", code="index_down"
                )
            return [read_neighbours(answer.points, k, views=len(self.views)) for answer in answers]

        return self._read(ask)

    @property
    def _vector_bytes(self) -> int:
        return self.dimensions * NUMBER_BYTES + POINT_BYTES

    def _point_bytes(self, item: IndexedItem) -> int:
        return self._vector_bytes + len(item.manifests) * MANIFEST_BYTES

    def _request(self, row: NDArray[np.float32], k: int, manifest_id: str | None, exact: bool) -> models.QueryRequest:
        # k items need up to k times as many points as an item has views.
        limit = k * len(self.views)
        return models.QueryRequest(
            query=row.tolist(),
            limit=limit,
            filter=_within(manifest_id),
            params=models.SearchParams(exact=exact, hnsw_ef=None if exact else hnsw_ef(limit)),
            # With one view the point's id is the item's, and payloads need not be read.
            with_payload=False if len(self.views) == 1 else [ITEM, VIEW],
        )


def _split(sizes: Sequence[int], most: int = BATCH_POINTS) -> Iterator[slice]:
    """Divide things of these sizes in bytes into requests: none above the bound, unless one thing alone is."""
    start, total = 0, 0
    for at, size in enumerate(sizes):
        if at > start and (total + size > REQUEST_BYTES or at - start == most):
            yield slice(start, at)
            start, total = at, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))


def _lost(collection: str) -> UnavailableError:
    return UnavailableError(f"the collection {collection} was dropped and made anew", code="index_lost")


def _within(manifest_id: str | None) -> models.Filter:
    if manifest_id is not None:
        return models.Filter(must=[_is(MANIFESTS, manifest_id)])
    return models.Filter(must_not=[models.HasIdCondition(has_id=[CURSOR_ID])])  # the cursor is a point too


def _is(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))
