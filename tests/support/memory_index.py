"""A vector index in memory: all of the interface, by comparing with every vector, and nothing of an engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.ids import new_id
from shared.index.vector_index import (
    WHOLE,
    IndexedItem,
    Neighbour,
    best_views,
    hnsw_ef,
    order_vectors,
    verify_items,
    verify_k,
    verify_vectors,
)

Vectors = NDArray[np.float32]


@dataclass
class MemoryIndex:
    """Points by item and view.

    Args:
        dimensions: width of the vectors.
        views: the views that an item may have.
    """

    dimensions: int
    views: Sequence[str] = (WHOLE,)
    cursor: int = 0
    instance: str = field(default_factory=new_id)
    _points: dict[tuple[str, str], tuple[IndexedItem, Vectors]] = field(default_factory=dict)

    def upsert(self, items: Sequence[IndexedItem], vectors: Vectors) -> None:
        """Store points, replacing those that are there."""
        verify_items(items, self.views)
        rows = verify_vectors(vectors, len(items), self.dimensions)
        for item, row in zip(items, rows, strict=True):
            self._points[item.item_id, item.view] = (item, row.copy())

    def set_manifests(self, manifests: Mapping[str, Sequence[str]]) -> None:
        """State which manifests items belong to; those that are not there are passed over."""
        for key, (item, vector) in self._points.items():
            if item.item_id in manifests:
                self._points[key] = (replace(item, manifests=tuple(manifests[item.item_id])), vector)

    def remove(self, item_ids: Sequence[str]) -> None:
        """Take items out, with all their views."""
        self._points = {key: point for key, point in self._points.items() if key[0] not in item_ids}

    def commit(self, log_size: int) -> None:
        """Move the cursor to this many log entries."""
        self.cursor = log_size

    def neighbours(self, vector: Vectors, k: int, manifest_id: str | None, *, exact: bool) -> list[Neighbour]:
        """Find the k items nearest to a vector."""
        [nearest] = self.neighbours_many(vector[None], k, manifest_id, exact=exact)
        return nearest

    def neighbours_many(self, vectors: Vectors, k: int, manifest_id: str | None, *, exact: bool) -> list[list[Neighbour]]:
        """Find the neighbours of each vector; the search is exact whatever is asked for."""
        del exact
        verify_k(k)
        queries = verify_vectors(vectors, len(vectors), self.dimensions)
        return [self._find_nearest(query, k, manifest_id) for query in queries]

    def _find_nearest(self, query: Vectors, k: int, manifest_id: str | None) -> list[Neighbour]:
        points = [point for point in self._points.values() if manifest_id is None or manifest_id in point[0].manifests]
        scored = [(item.item_id, item.view, float(vector @ query)) for item, vector in points]
        return best_views(sorted(scored, key=lambda match: -match[2]), k)

    def count(self, manifest_id: str) -> int:
        """Return how many items of a manifest the index holds."""
        return sum(view == WHOLE and manifest_id in item.manifests for (_, view), (item, _) in self._points.items())

    def vectors(self, item_ids: Sequence[str]) -> Vectors:
        """Return the vectors of whole pictures, in the order of the items."""
        whole = [
            (item_id, self._points[item_id, WHOLE][1].tolist()) for item_id in item_ids if (item_id, WHOLE) in self._points
        ]
        return order_vectors(item_ids, whole, self.dimensions)

    def missing(self, item_ids: Sequence[str]) -> list[str]:
        """Return those of the items that are not there."""
        return [item_id for item_id in item_ids if (item_id, WHOLE) not in self._points]

    def clear(self) -> None:
        """Drop every point and the cursor."""
        self._points.clear()
        self.cursor, self.instance = 0, new_id()

    def optimize(self) -> bool:
        """There is no graph to build."""
        return False

    def describe(self, k: int, *, exact: bool) -> dict[str, Any]:
        """Say what a search rests on, in the words of the other indexes."""
        return {
            "engine": "memory",
            "version": "1",
            "exact": exact,
            "hnsw_ef": None if exact else hnsw_ef(k),
            "cursor": self.cursor,
        }

    def close(self) -> None:
        """Nothing is held."""
