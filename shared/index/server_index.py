"""The vector index on a Qdrant server, through `qdrant-client`: one collection, many processes.

Rules, in order, beside those of `vector_index`:

1. A write waits until every replica has applied it (`wait`, and a write consistency factor equal to the replication factor),
   in the order of one leader (strong ordering). So any replica may answer a search.
2. The cursor is a point of the collection, in no manifest: it lives and dies with the points that it stands for.
3. No answer within the timeout, a refused connection and a server error are an `UnavailableError`: the gate is undecided.
4. Nothing is sent before the first use. So a gate starts without its server, and is undecided until it is there.
5. An API key never travels in clear text: with a key, the URL is https, or of this machine.
6. The server builds and maintains the graph itself.

Source: Qdrant's documentation, "Distributed deployment", write ordering and consistency guarantees.
"""

import ipaddress
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException

from shared.errors import CorruptStateError, InputError, UnavailableError
from shared.index.vector_index import (
    BATCH_POINTS,
    BATCH_QUERIES,
    ITEM,
    KEYWORDS,
    MANIFESTS,
    VIEW,
    WHOLE,
    IndexedItem,
    Neighbour,
    best_views,
    by_manifests,
    hnsw_ef,
    order_vectors,
    payload,
    point_id,
    point_ids,
    verify_items,
    verify_k,
    verify_vectors,
)

ENGINE = "qdrant-server"
# The point that holds the cursor; item ids are UUIDv7 and can never be this one.
CURSOR_ID = "00000000-0000-0000-0000-000000000000"
LOG_SIZE = "log_size"


class ServerIndex:
    """A collection of item vectors on a Qdrant server, made where it is missing.

    Args:
        client: a connection to the server; closed with the index.
        collection: name of the collection.
        dimensions: width of the vectors.
        views: the views that an item may have, the whole picture first.
        shards: shards of a new collection.
        replicas: copies of each shard of a new collection.

    Every use raises UnavailableError where the server does not answer, and CorruptStateError where the collection holds
    vectors of another width.
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
    ) -> None:
        self.collection = collection
        self.dimensions = dimensions
        self.views = tuple(views)
        self._client = client
        self._shards, self._replicas = shards, replicas
        self._preparing = threading.Lock()
        self._version: str | None = None
        self._cursor_seen = 0

    @property
    def cursor(self) -> int:
        """How many log entries the index has taken in."""
        with self._server() as client:
            records = client.retrieve(self.collection, [CURSOR_ID], with_payload=[LOG_SIZE])
        try:
            self._cursor_seen = int((records[0].payload or {})[LOG_SIZE]) if records else 0
        except (KeyError, ValueError, TypeError) as error:
            raise CorruptStateError(f"index cursor of {self.collection} cannot be read") from error
        return self._cursor_seen

    def upsert(self, items: Sequence[IndexedItem], vectors: NDArray[np.float32]) -> None:
        """Store points, replacing those that are there; applied by every replica on return.

        Args:
            items: whose vectors they are.
            vectors: shape (N, D), rows of length 1, in the order of the items.

        Raises:
            InputError: a vector or item cannot be stored.
            UnavailableError: the server does not answer.
        """
        verify_items(items, self.views)
        rows = verify_vectors(vectors, len(items), self.dimensions)
        for start in range(0, len(items), BATCH_POINTS):
            part = items[start : start + BATCH_POINTS]
            batch = models.Batch(
                ids=[point_id(item.item_id, item.view) for item in part],
                vectors=rows[start : start + BATCH_POINTS].tolist(),
                payloads=[payload(item) for item in part],
            )
            self._store(batch)

    def set_manifests(self, manifests: Mapping[str, Sequence[str]]) -> None:
        """State which manifests items belong to; items that are not in the index are passed over.

        Args:
            manifests: manifest ids by item id; items with the same list are written together.

        Raises:
            UnavailableError: the server does not answer.
        """
        for names, item_ids in by_manifests(manifests).items():
            for start in range(0, len(item_ids), BATCH_POINTS):
                batch = item_ids[start : start + BATCH_POINTS]
                with self._server() as client:
                    client.set_payload(
                        self.collection,
                        {MANIFESTS: list(names)},
                        points=models.Filter(must=[models.FieldCondition(key=ITEM, match=models.MatchAny(any=batch))]),
                        wait=True,
                        ordering=models.WriteOrdering.STRONG,
                    )

    def remove(self, item_ids: Sequence[str]) -> None:
        """Take items out, with all their views."""
        ids: list[Any] = [*point_ids(item_ids, self.views)]
        for start in range(0, len(ids), BATCH_POINTS):
            selector = models.PointIdsList(points=ids[start : start + BATCH_POINTS])
            with self._server() as client:
                client.delete(self.collection, selector, wait=True, ordering=models.WriteOrdering.STRONG)

    def commit(self, log_size: int) -> None:
        """Move the cursor to this many log entries; what it speaks for was applied before."""
        direction = [1.0] + [0.0] * (self.dimensions - 1)
        self._store(models.Batch(ids=[CURSOR_ID], vectors=[direction], payloads=[{LOG_SIZE: log_size}]))
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
        for start in range(0, len(rows), BATCH_QUERIES):
            requests = [self._request(row, k, manifest_id, exact) for row in rows[start : start + BATCH_QUERIES]]
            with self._server() as client:
                answers = client.query_batch_points(self.collection, requests)
            neighbours += [self._read(answer.points, k) for answer in answers]
        return neighbours

    def count(self, manifest_id: str) -> int:
        """Return how many items of a manifest the index holds."""
        within = models.Filter(must=[_is(MANIFESTS, manifest_id), _is(VIEW, WHOLE)])
        with self._server() as client:
            return int(client.count(self.collection, within, exact=True).count)

    def vectors(self, item_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of whole pictures, float32 (N, D), in the order of the items.

        Raises:
            NotFoundError: one is not in the index.
            UnavailableError: the server does not answer.
        """
        vectors: list[tuple[str, Any]] = []
        for start in range(0, len(item_ids), BATCH_POINTS):
            with self._server() as client:
                records = client.retrieve(
                    self.collection, [*item_ids[start : start + BATCH_POINTS]], with_payload=False, with_vectors=True
                )
            vectors += [(str(record.id), record.vector) for record in records]
        return order_vectors(item_ids, vectors, self.dimensions)

    def clear(self) -> None:
        """Drop the collection and make an empty one, to be filled from the log again."""
        with self._server() as client:
            client.delete_collection(self.collection)
            self._create()
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
        self._client.close()

    @contextmanager
    def _server(self) -> Iterator[QdrantClient]:
        try:
            if self._version is None:
                self._prepare()
            yield self._client
        except (ApiException, QdrantException, OSError) as error:
            raise UnavailableError(f"the Qdrant server does not answer as it should: {error}", code="index_down") from error

    def _prepare(self) -> None:
        with self._preparing:
            if not self._client.collection_exists(self.collection):
                self._create()
            self._verify_width()
            self._version = self._client.info().version

    def _create(self) -> None:
        self._client.create_collection(
            self.collection,
            vectors_config=models.VectorParams(size=self.dimensions, distance=models.Distance.COSINE),
            shard_number=self._shards,
            replication_factor=self._replicas,
            write_consistency_factor=self._replicas,
        )
        for name in KEYWORDS:
            self._client.create_payload_index(self.collection, name, models.PayloadSchemaType.KEYWORD, wait=True)

    def _verify_width(self) -> None:
        params = self._client.get_collection(self.collection).config.params.vectors
        got = params.size if isinstance(params, models.VectorParams) else None
        if got != self.dimensions:
            raise CorruptStateError(
                f"collection {self.collection} holds vectors of width {got}, expected {self.dimensions}", code="index_width"
            )

    def _store(self, batch: models.Batch) -> None:
        with self._server() as client:
            client.upsert(self.collection, batch, wait=True, ordering=models.WriteOrdering.STRONG)

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

    def _read(self, points: Sequence[models.ScoredPoint], k: int) -> list[Neighbour]:
        if len(self.views) == 1:
            return [Neighbour(str(point.id), float(point.score)) for point in points]
        payloads = ((point.payload or {}, float(point.score)) for point in points)
        return best_views(((fields[ITEM], fields[VIEW], score) for fields, score in payloads), k)


def open_client(url: str, api_key: str | None, timeout_seconds: int) -> QdrantClient:
    """Open a connection to a Qdrant server; nothing is sent before the first call.

    Args:
        url: `https://host:6333`, or http within this machine or without a key.
        api_key: the server's key, if it asks for one.
        timeout_seconds: how long one call may take.

    Raises:
        InputError: the URL is none, or a key would travel in clear text.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InputError(f"expected the http(s) URL of a Qdrant server, got scheme {parts.scheme!r}", code="index_url")
    if api_key and parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise InputError(f"an API key needs https, got http to {parts.hostname}", code="index_url")
    # The client warns of keys over http and of other versions; the first is ruled on above, the second is recorded.
    return QdrantClient(url=url, api_key=api_key, timeout=timeout_seconds, check_compatibility=False)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _within(manifest_id: str | None) -> models.Filter:
    if manifest_id is not None:
        return models.Filter(must=[_is(MANIFESTS, manifest_id)])
    return models.Filter(must_not=[models.HasIdCondition(has_id=[CURSOR_ID])])  # the cursor is a point too


def _is(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))
