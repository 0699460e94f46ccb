"""The interface of a vector index, over the embedded engine (`edge_index`) and a server (`server_index`).

Rules, in order:

1. The index is a projection of the log: `cursor` says how many log entries it has taken in. It moves after what it stands for
   is durable. So a crash repeats work and never skips any. An index that is dropped and refilled gives the same neighbours.
2. A write that returned is durable.
3. A search is within one manifest, or among all items, and looks at every one of them. It is never `indexed_only`, which
   leaves out what no graph covers yet.
4. An item has one point a view. The whole picture's point has the item's id; other views have an id derived from item and
   view. A search returns items, each once, with its best view.
5. Vectors are finite and of length 1. Others are refused, since an engine would store them and never find them.
6. A failing engine is an `UnavailableError`, whatever it raised itself.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.errors import CorruptStateError, InputError, NotFoundError

# The view that every item has: the picture as it is.
WHOLE = "whole"
# Payload fields, each with a keyword index.
ITEM, VIEW, BLOB, MANIFESTS = "item", "view", "blob_sha256", "manifests"
KEYWORDS = (ITEM, BLOB, MANIFESTS, VIEW)
# What an error says of an index that cannot be repaired in place.
REBUILD = "fill it again from the log: `sleeve gate index rebuild`"
# How far from 1 a vector's length may be: float32 sums over a few thousand products err by less.
LENGTH_TOLERANCE = 1e-3
# Up to this many items a search compares with every vector. Measured at k = 1,000 (docs/methods/neighbours.md): at 100,000
# items a walk of the graph that finds 0.99 of the neighbours takes as long as comparing with all of them.
EXACT_UP_TO_ITEMS = 100_000
# Points a call: bounds the memory of one write. A server bounds the bytes of a request as well (`server_index`).
BATCH_POINTS = 1000
# Queries a call: bounds the memory of one answer; 64 × 1,000 neighbours are some 10 MB of Python objects.
BATCH_QUERIES = 64


@dataclass(frozen=True)
class IndexedItem:
    """What the index stores beside a vector: the item, its bytes' digest, its manifests, and the view."""

    item_id: str
    blob_sha256: str
    manifests: tuple[str, ...]
    view: str = WHOLE


@dataclass(frozen=True)
class Neighbour:
    """An item near a query: its id, the cosine of its nearest view, −1..1, and that view."""

    item_id: str
    cosine: float
    view: str = WHOLE


class VectorIndex(Protocol):
    """A collection of item vectors with payloads; see the module's rules."""

    dimensions: int

    @property
    def cursor(self) -> int:
        """How many log entries the index has taken in."""
        ...

    @property
    def instance(self) -> str:
        """Id of this index, drawn when it was made: one that is dropped and made again has another."""
        ...

    def upsert(self, items: Sequence[IndexedItem], vectors: NDArray[np.float32]) -> None:
        """Store points, replacing those that are there; vectors (N, D), rows of length 1, in the order of the items."""
        ...

    def set_manifests(self, manifests: Mapping[str, Sequence[str]]) -> None:
        """State which manifests items belong to, by item id; all views of an item follow."""
        ...

    def remove(self, item_ids: Sequence[str]) -> None:
        """Take items out, with all their views; those that are not there are passed over."""
        ...

    def commit(self, log_size: int) -> None:
        """Move the cursor to this many log entries."""
        ...

    def neighbours(self, vector: NDArray[np.float32], k: int, manifest_id: str | None, *, exact: bool) -> list[Neighbour]:
        """Find the k items nearest to a vector (D,), of a manifest or of all; all where there are fewer; nearest first."""
        ...

    def neighbours_many(
        self, vectors: NDArray[np.float32], k: int, manifest_id: str | None, *, exact: bool
    ) -> list[list[Neighbour]]:
        """Find the neighbours of each vector (N, D), in batches."""
        ...

    def count(self, manifest_id: str) -> int:
        """Return how many items of a manifest the index holds."""
        ...

    def vectors(self, item_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of whole pictures, (N, D), in the order of the items; NotFoundError where one is not there."""
        ...

    def missing(self, item_ids: Sequence[str]) -> list[str]:
        """Return those of the items whose whole picture the index does not hold, in their order."""
        ...

    def clear(self) -> None:
        """Drop every point and the cursor, to be filled from the log again."""
        ...

    def optimize(self) -> bool:
        """Build the graph over what has none; False where there was nothing to do, or a server does it unasked."""
        ...

    def describe(self, k: int, *, exact: bool) -> dict[str, Any]:
        """Say what a search for k neighbours rests on: engine, version, exact, hnsw_ef (None where exact), cursor."""
        ...

    def close(self) -> None:
        """Release the index."""
        ...


def point_id(item_id: str, view: str = WHOLE) -> str:
    """Return the id of a view's point: the item's own for the whole picture, else UUIDv5 of the view's name under it.

    >>> point_id("00000000-0000-0000-0000-000000000001")
    '00000000-0000-0000-0000-000000000001'
    """
    return item_id if view == WHOLE else str(uuid.uuid5(uuid.UUID(item_id), view))


def point_ids(item_ids: Iterable[str], views: Sequence[str]) -> list[str]:
    """Return the ids of all points of items, item after item."""
    return [point_id(item_id, view) for item_id in item_ids for view in views]


def payload(item: IndexedItem) -> dict[str, Any]:
    """Return what is stored beside an item's vector."""
    return {ITEM: item.item_id, VIEW: item.view, BLOB: item.blob_sha256, MANIFESTS: list(item.manifests)}


def is_searched_exactly(items: int) -> bool:
    """Say whether a manifest of this many items is searched exactly; above, by the graph, once the engine has built one.

    >>> is_searched_exactly(100_000), is_searched_exactly(100_001)
    (True, False)
    """
    return items <= EXACT_UP_TO_ITEMS


def hnsw_ef(k: int) -> int:
    """Return how many candidates a walk of the graph keeps for k neighbours, at least 512.

    docs/methods/neighbours.md has the measurement: 2·k keeps recall at 1,000 above 0.99.

    >>> hnsw_ef(10), hnsw_ef(1000)
    (512, 2000)
    """
    return max(512, 2 * k)


def by_manifests(manifests: Mapping[str, Sequence[str]]) -> dict[tuple[str, ...], list[str]]:
    """Group item ids by their list of manifests, so that each list is written once.

    >>> by_manifests({"a": ["m"], "b": [], "c": ["m"]})
    {('m',): ['a', 'c'], (): ['b']}
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for item_id, names in manifests.items():
        groups.setdefault(tuple(sorted(names)), []).append(item_id)
    return groups


def best_views(views: Iterable[tuple[str, str, float]], k: int) -> list[Neighbour]:
    """Keep each item's nearest view.

    Args:
        views: (item id, view, cosine), nearest first.
        k: how many items at most.

    >>> best_views([("a", "mirror", 0.9), ("a", "whole", 0.8), ("b", "whole", 0.7)], 2)
    [Neighbour(item_id='a', cosine=0.9, view='mirror'), Neighbour(item_id='b', cosine=0.7, view='whole')]
    """
    best: dict[str, Neighbour] = {}
    for item_id, view, cosine in views:
        if len(best) == k:
            break
        best.setdefault(item_id, Neighbour(item_id, cosine, view))
    return list(best.values())


class ScoredPoint(Protocol):
    """A point as an engine found it; the embedded engine and the server have classes of their own."""

    @property
    def id(self) -> Any:
        """The item's id, where it has one view."""

    @property
    def score(self) -> float:
        """The cosine."""

    @property
    def payload(self) -> Mapping[str, Any] | None:
        """Item and view, where they were asked for."""


def read_neighbours(points: Iterable[ScoredPoint], k: int, *, views: int) -> list[Neighbour]:
    """Name the items of points that an engine found.

    Args:
        points: nearest first.
        k: how many items at most.
        views: how many points an item has. With one, the point's id is the item's, and payloads are not read.
    """
    if views == 1:
        return [Neighbour(str(point.id), float(point.score)) for point in points]
    payloads = ((point.payload or {}, float(point.score)) for point in points)
    return best_views(((fields[ITEM], fields[VIEW], score) for fields, score in payloads), k)


def order_vectors(item_ids: Sequence[str], vectors: Iterable[tuple[str, Any]], dimensions: int) -> NDArray[np.float32]:
    """Put vectors that an engine returned into the order asked for.

    Raises:
        NotFoundError: one was not returned.
        CorruptStateError: one is no longer of length 1, as it was stored.

    >>> order_vectors(["b", "a"], [("a", [1.0, 0.0]), ("b", [0.0, 1.0])], 2).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    by_id = {item_id: vector for item_id, vector in vectors if vector is not None}
    missing = [item_id for item_id in item_ids if item_id not in by_id]
    if missing:
        raise NotFoundError(f"the index lacks {len(missing)} of {len(item_ids)} items, first {missing[0]}", code="index_lacks")
    rows = np.array([by_id[item_id] for item_id in item_ids], np.float32).reshape(len(item_ids), dimensions)
    if _off_length(rows).any():
        damaged = item_ids[int(_off_length(rows).argmax())]
        raise CorruptStateError(f"the index's vector of item {damaged} is damaged; {REBUILD}", code="index_damaged")
    return rows


def verify_items(items: Sequence[IndexedItem], views: Sequence[str]) -> None:
    """Check that items can be stored.

    Raises:
        InputError: a view that the index does not have, or an id that is no UUID in its usual form.
    """
    for item in items:
        if item.view not in views:
            raise InputError(f"expected one of the views {', '.join(views)}, got {item.view!r}", code="index_view_unknown")
        if not _is_uuid(item.item_id):
            raise InputError(f"expected a UUID as item id, got {item.item_id!r}", code="index_item_id")


def verify_vectors(vectors: NDArray[np.float32], count: int, dimensions: int) -> NDArray[np.float32]:
    """Check vectors and return them as contiguous float32.

    Args:
        vectors: shape (count, dimensions), rows of length 1.
        count: how many are expected.
        dimensions: their expected width.

    Raises:
        InputError: another shape, NaN or infinity, or a row that is not of length 1 (a zero vector has no direction).
    """
    if vectors.shape != (count, dimensions):
        raise InputError(f"expected vectors {(count, dimensions)}, got {vectors.shape}", code="index_vector_shape")
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    off = _off_length(rows)
    if off.any():
        raise InputError(
            f"expected vectors of length 1, got length {np.linalg.norm(rows[off][0])} in row {int(off.argmax())}",
            code="index_vector_length",
        )
    return rows


def verify_k(k: int) -> None:
    """Check a number of neighbours.

    Raises:
        InputError: below 1.
    """
    if k < 1:
        raise InputError(f"expected at least 1 neighbour, got k {k}", code="index_k")


def _off_length(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    # Written so that a NaN is off as well.
    off: NDArray[np.bool_] = ~(np.abs(np.linalg.norm(rows, axis=1) - 1) <= LENGTH_TOLERANCE)
    return off


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
