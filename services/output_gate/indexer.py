"""The indexer: tails the log, embeds what was registered, and keeps the vector index in step.

Rules, in order:

1. Entries are taken in the log's order; the cursor moves after the points are durable, so a crash repeats and never skips.
2. `item.registered` adds a vector; `dataset.sealed` marks its items; other entries only move the cursor. A withdrawn item
   stays: models that were trained on it still know it, and the gate has to find its copies.
3. An item whose bytes are missing, damaged or no picture any more is a gap: on record before the cursor passes it, and tried
   again from time to time. Manifests that hold it cannot be searched until then; what was registered after it can.
4. Whatever else fails, such as index, embedder, database or blob folder, stops the indexer with an error.
   A gate that is behind answers undecided, never clear.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlmodel import Session, col, select

from shared.clock import utc_now
from shared.errors import CorruptStateError, InputError, NotFoundError, UnavailableError
from shared.index.vector_index import IndexedItem, VectorIndex
from shared.records.index_gaps import IndexGap, close_gaps, count_gaps, find_gap_of_manifest, load_gaps, save_gaps
from shared.records.manifests import ManifestItem
from shared.vision.embedding import Embedder
from shared.vision.embedding.embedder import collection_name
from shared.vision.embedding.streaming import embed_blobs
from shared.workspace import Workspace

# Entries a step: bounds the memory of decoded originals, and what a crash repeats.
BATCH_ENTRIES = 256
# Members of a sealed manifest a query: databases take some 30,000 parameters at most.
BATCH_MEMBERS = 10_000
# What is the fault of an item's bytes, and of nothing else.
_OF_THE_BYTES = (InputError, NotFoundError, CorruptStateError)

log = structlog.get_logger()


@dataclass(frozen=True)
class IndexState:
    """How far the index is: the log's size, how many of its entries it has taken in, and what it lacks.

    Args:
        log_size: entries under the newest checkpoint.
        cursor: entries taken in.
        behind_seconds: age of the oldest entry that was not; 0 where there is none.
        gaps: items that could not be embedded.
    """

    log_size: int
    cursor: int
    behind_seconds: float
    gaps: int

    @property
    def behind_entries(self) -> int:
        """How many entries the index has not taken in."""
        return max(self.log_size - self.cursor, 0)


@dataclass
class Indexer:
    """Brings an index up to the log; one thread at a time."""

    workspace: Workspace
    index: VectorIndex
    embedder: Embedder
    # Code of what stopped it last, until it gets on again.
    failure: str | None = None
    _busy: threading.Lock = field(default_factory=threading.Lock)

    @property
    def collection(self) -> str:
        """Name of the collection that the index is."""
        return collection_name(self.embedder)

    def catch_up(self, stopping: threading.Event | None = None) -> int:
        """Take in every entry that the log has and the index has not.

        Args:
            stopping: once it is set, no further step is begun.

        Returns:
            The log size that the index now stands for.

        Raises:
            UnavailableError: the index, the database or the blob folder does not answer.
        """
        with self._busy:
            while True:
                start = self.index.cursor
                entries = [data for _, data in self.workspace.log.entries_since(start, BATCH_ENTRIES)]
                if not entries or (stopping is not None and stopping.is_set()):
                    return start
                self._take(entries)
                self.index.commit(start + len(entries))
                log.info("index_advanced", log_size=start + len(entries))

    def retry_gaps(self) -> int:
        """Try the items again that could not be embedded; return how many of them now are.

        Raises:
            UnavailableError: the index, the database or the blob folder does not answer.
        """
        with self._busy:
            with self.workspace.reading() as session:
                gaps = load_gaps(session, self.collection, BATCH_ENTRIES)
                manifests = _manifests_of(session, [gap.item_id for gap in gaps])
            items = [IndexedItem(gap.item_id, gap.blob_sha256, tuple(manifests[gap.item_id])) for gap in gaps]
            embedded, vectors, _ = self._embed_each(items)
            if embedded:
                self.index.upsert(embedded, vectors)
                with self.workspace.writing() as session:
                    close_gaps(session, self.collection, [item.item_id for item in embedded])
                log.info("index_gaps_closed", items=len(embedded))
            return len(embedded)

    def rebuild(self) -> int:
        """Drop the index and fill it from the log again; the neighbours are the same.

        Returns:
            The log size that the index now stands for.
        """
        with self._busy:
            with self.workspace.writing() as session:
                close_gaps(session, self.collection)
            self.index.clear()
        return self.catch_up()

    def measure(self) -> IndexState:
        """Say how far the index is.

        Raises:
            UnavailableError: the index or the database does not answer.
        """
        size, cursor = self.workspace.log.size, self.index.cursor
        with self.workspace.reading() as session:
            gaps = count_gaps(session, self.collection)
        behind_seconds = 0.0
        for _, data in self.workspace.log.entries_since(cursor, 1):
            age = utc_now() - datetime.fromisoformat(json.loads(data)["at"])
            behind_seconds = max(age.total_seconds(), 0.0)
        return IndexState(size, cursor, behind_seconds, gaps)

    def explain_behind(self, manifest_id: str) -> str:
        """Return the code of why the index does not hold a whole manifest."""
        with self.workspace.reading() as session:
            gap = find_gap_of_manifest(session, self.collection, manifest_id)
        return "index_behind" if gap is None else gap.code

    def _take(self, entries: Sequence[bytes]) -> None:
        parsed = [json.loads(data) for data in entries]
        registered = {
            entry["subject"]["item"]: entry["subject"]["sha256"] for entry in parsed if entry["type"] == "item.registered"
        }
        if registered:
            with self.workspace.reading() as session:
                manifests = _manifests_of(session, list(registered))
            self._add([IndexedItem(item_id, digest, tuple(manifests[item_id])) for item_id, digest in registered.items()])
        for manifest_id in (entry["subject"]["manifest"] for entry in parsed if entry["type"] == "dataset.sealed"):
            self._mark(manifest_id)

    def _mark(self, manifest_id: str) -> None:
        """Write to every item of a manifest which manifests it is in."""
        with self.workspace.reading() as session:
            members = session.exec(select(ManifestItem.item_id).where(ManifestItem.manifest_id == manifest_id)).all()
            for start in range(0, len(members), BATCH_MEMBERS):
                self.index.set_manifests(_manifests_of(session, members[start : start + BATCH_MEMBERS]))

    def _add(self, items: Sequence[IndexedItem]) -> None:
        gaps: list[IndexGap] = []
        try:
            embedded, vectors = [*items], self._embed(items)
        except _OF_THE_BYTES:
            embedded, vectors, gaps = self._embed_each(items)
        if gaps:
            with self.workspace.writing() as session:
                save_gaps(session, gaps)
        if embedded:
            self.index.upsert(embedded, vectors)

    def _embed(self, items: Sequence[IndexedItem]) -> NDArray[np.float32]:
        digests = [item.blob_sha256 for item in items]
        return np.concatenate([*embed_blobs(self.embedder, digests, self.workspace.blobs, self.workspace.limits)])

    def _embed_each(self, items: Sequence[IndexedItem]) -> tuple[list[IndexedItem], NDArray[np.float32], list[IndexGap]]:
        """Embed what can be, and say of the rest why it cannot."""
        embedded: list[IndexedItem] = []
        vectors: list[NDArray[np.float32]] = []
        gaps: list[IndexGap] = []
        for item in items:
            try:
                vectors.append(self._embed([item]))
                embedded.append(item)
            except _OF_THE_BYTES as error:
                folder = self.workspace.blobs.folder
                if not folder.is_dir():
                    raise UnavailableError(f"expected the blob folder {folder}, got none", code="blobs_missing") from error
                log.warning("index_gap", item=item.item_id, code=error.code)
                gap = IndexGap(collection=self.collection, item_id=item.item_id, blob_sha256=item.blob_sha256, code=error.code)
                gaps.append(gap)
        return embedded, np.concatenate(vectors) if vectors else np.empty((0, self.embedder.dimensions), np.float32), gaps


def _manifests_of(session: Session, item_ids: Sequence[str]) -> dict[str, list[str]]:
    manifests: dict[str, list[str]] = {item_id: [] for item_id in item_ids}
    query: Any = select(ManifestItem.item_id, ManifestItem.manifest_id).where(col(ManifestItem.item_id).in_(item_ids))
    for item_id, manifest_id in session.exec(query):
        manifests[item_id].append(manifest_id)
    return manifests
