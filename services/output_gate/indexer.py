"""The indexer: tails the log, embeds what was registered, and keeps the vector index in step.

Rules, in order:

1. Entries are taken in the log's order; the cursor moves after the points are durable, so a crash repeats and never skips.
2. `item.registered` adds a vector; `dataset.sealed` marks its items; other entries only move the cursor. A withdrawn item
   stays: models that were trained on it still know it, and the gate has to find its copies.
3. An item whose bytes are missing, damaged or no picture any more is a gap: on record before the cursor passes it, and tried
   again from time to time. Manifests that hold it cannot be searched until then; what was registered after it can.
4. Whatever else fails, such as index, embedder, database or blob folder, stops the indexer with an error.
   A gate that is behind answers undecided, never clear.
5. One indexer of a collection works at a time, of all processes over one database. The others wait for it, and one of them
   takes over where it ends. So nothing that one reads is changed by another before it is written.
6. An index that is up with the log and holds less of a manifest than was sealed is repaired: what is there is marked again,
   what is missing is embedded again. Until then readiness names it and its models are undecided.
7. Gaps are of one instance of an index. Those that an earlier version put on record by the collection's name are taken over.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlmodel import Session, col, select

from shared.clock import utc_now
from shared.errors import CorruptStateError, InputError, NotFoundError, UnavailableError
from shared.exclusive_work import Verify, exclusive_work
from shared.index.vector_index import REBUILD, IndexedItem, VectorIndex
from shared.records.index_gaps import (
    IndexGap,
    adopt_gaps,
    close_gaps,
    count_gaps,
    count_gaps_by_manifest,
    drop_gaps,
    find_gap_of_manifest,
    load_gaps,
    save_gaps,
)
from shared.records.items import Item
from shared.records.manifests import Manifest, ManifestItem
from shared.vision.embedding import Embedder
from shared.vision.embedding.embedder import collection_name
from shared.vision.embedding.streaming import embed_blobs
from shared.workspace import Workspace

# Entries a step: bounds the memory of decoded originals, and what a crash repeats.
BATCH_ENTRIES = 256
# Members of a sealed manifest a query: databases take some 30,000 parameters at most.
BATCH_MEMBERS = 10_000
# How long whoever needs the index now waits for the process that is filling it.
FOLLOWER_SECONDS = 10.0
FOLLOWER_LOOK_SECONDS = 0.05
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
    """Brings an index up to the log; one thread of one process at a time."""

    workspace: Workspace
    index: VectorIndex
    embedder: Embedder
    # Code of what stopped it last, until it gets on again.
    failure: str | None = None
    # Manifests of which the index was last seen to hold too little.
    short_manifests: tuple[str, ...] = ()
    _busy: threading.Lock = field(default_factory=threading.Lock)
    _adopted: str | None = None

    @property
    def collection(self) -> str:
        """Name of the collection that the index is."""
        return collection_name(self.embedder)

    @property
    def gap_key(self) -> str:
        """Under which gaps are on record: of this instance of the index.

        Raises:
            UnavailableError: the index does not answer.
        """
        return f"{self.collection}/{self.index.instance}"

    def catch_up(self, stopping: threading.Event | None = None, patience_seconds: float = FOLLOWER_SECONDS) -> int:
        """Take in every entry that the log has and the index has not; where another process does, wait for it.

        Args:
            stopping: once it is set, no further step is begun.
            patience_seconds: how long to wait for another process.

        Returns:
            The log size that the index now stands for.

        Raises:
            UnavailableError: the index, the database or the blob folder does not answer.
        """
        with self._busy:
            until = monotonic() + patience_seconds
            while True:
                cursor, size = self.index.cursor, self.workspace.log.size
                if cursor > size:
                    raise CorruptStateError(
                        f"the index has taken in {cursor} entries of a log of {size}: it is another log's; {REBUILD}",
                        code="index_ahead",
                    )
                if cursor == size or (stopping is not None and stopping.is_set()):
                    return cursor
                with self._working_alone() as verify:
                    if verify is not None:
                        return self._take_all(stopping, verify)
                if monotonic() >= until:
                    return cursor
                (stopping or threading.Event()).wait(FOLLOWER_LOOK_SECONDS)

    def retry_gaps(self) -> int:
        """Try the items again that could not be embedded; return how many of them now are.

        Raises:
            UnavailableError: the index, the database or the blob folder does not answer.
        """
        with self._busy, self._working_alone() as verify:
            if verify is None:
                return 0  # the process that indexes does it
            gap_key = self._adopt_gaps()
            with self.workspace.reading() as session:
                gaps = load_gaps(session, gap_key, BATCH_ENTRIES)
                manifests = _manifests_of(session, [gap.item_id for gap in gaps])
            items = [IndexedItem(gap.item_id, gap.blob_sha256, tuple(manifests[gap.item_id])) for gap in gaps]
            embedded, vectors, _ = self._embed_each(items)
            if embedded:
                verify()
                self.index.upsert(embedded, vectors)
                with self.workspace.writing() as session:
                    close_gaps(session, gap_key, [item.item_id for item in embedded])
                log.info("index_gaps_closed", items=len(embedded))
            return len(embedded)

    def repair(self, manifest_id: str | None = None) -> int:
        """Complete the manifests of which the index holds too little; return how many there were.

        Args:
            manifest_id: this one only; None for every manifest.

        Raises:
            UnavailableError: the index, the database or the blob folder does not answer.
        """
        with self._busy, self._working_alone() as verify:
            if verify is None:
                return 0
            short = self._find_short(manifest_id)
            if manifest_id is None:
                self.short_manifests = tuple(short)
            for name in short:
                log.warning("index_short", manifest=name)
                self._complete(name, verify)
            if manifest_id is None:
                self.short_manifests = tuple(self._find_short(None)) if short else ()
            return len(short)

    def rebuild(self) -> int:
        """Drop the index and fill it from the log again; the neighbours are the same.

        Returns:
            The log size that the index now stands for.

        Raises:
            UnavailableError: another process is filling the index, or something does not answer.
        """
        with self._busy, self._working_alone() as verify:
            if verify is None:
                raise UnavailableError("another process is filling the index; try again in a moment", code="index_busy")
            with self.workspace.writing() as session:
                drop_gaps(session, self.collection)
            self.index.clear()
            return self._take_all(None, verify)

    def measure(self) -> IndexState:
        """Say how far the index is.

        Raises:
            UnavailableError: the index or the database does not answer.
        """
        size, cursor, gap_key = self.workspace.log.size, self.index.cursor, self.gap_key
        with self.workspace.reading() as session:
            gaps = count_gaps(session, gap_key)
        behind_seconds = 0.0
        for _, data in self.workspace.log.entries_since(cursor, 1):
            age = utc_now() - datetime.fromisoformat(json.loads(data)["at"])
            behind_seconds = max(age.total_seconds(), 0.0)
        return IndexState(size, cursor, behind_seconds, gaps)

    def explain_behind(self, manifest_id: str) -> str:
        """Return the code of why the index does not hold a whole manifest."""
        gap_key = self.gap_key
        with self.workspace.reading() as session:
            gap = find_gap_of_manifest(session, gap_key, manifest_id)
        return "index_behind" if gap is None else gap.code

    def _working_alone(self) -> AbstractContextManager[Verify | None]:
        """Keep out the indexers of other processes; None where one is at work."""
        return exclusive_work(self.workspace.engine, self.workspace.home / "index", f"{self.collection}.indexer")

    def _adopt_gaps(self) -> str:
        """Take over what an earlier version put on record; return the key of this instance's gaps."""
        gap_key = self.gap_key
        if self._adopted != gap_key:
            with self.workspace.writing() as session:
                adopt_gaps(session, self.collection, gap_key)
            self._adopted = gap_key
        return gap_key

    def _take_all(self, stopping: threading.Event | None, verify: Verify) -> int:
        self._adopt_gaps()
        while True:
            start, instance = self.index.cursor, self.index.instance
            entries = [data for _, data in self.workspace.log.entries_since(start, BATCH_ENTRIES)]
            if not entries or (stopping is not None and stopping.is_set()):
                return start
            self._take(entries, verify)
            verify()
            if self.index.instance != instance:
                raise UnavailableError("the index was made anew while it was being filled", code="index_lost")
            self.index.commit(start + len(entries))
            log.info("index_advanced", log_size=start + len(entries))

    def _take(self, entries: Sequence[bytes], verify: Verify) -> None:
        parsed = [json.loads(data) for data in entries]
        registered = {
            entry["subject"]["item"]: entry["subject"]["sha256"] for entry in parsed if entry["type"] == "item.registered"
        }
        if registered:
            self._add(self._describe(registered), verify)
        for manifest_id in (entry["subject"]["manifest"] for entry in parsed if entry["type"] == "dataset.sealed"):
            verify()
            self._mark(manifest_id)

    def _describe(self, digests: Mapping[str, str]) -> list[IndexedItem]:
        """Say of items, by their bytes' digests, which manifests they are in."""
        with self.workspace.reading() as session:
            manifests = _manifests_of(session, list(digests))
        return [IndexedItem(item_id, digest, tuple(manifests[item_id])) for item_id, digest in digests.items()]

    def _find_short(self, manifest_id: str | None) -> list[str]:
        """Return the manifests of which an index that is up with the log holds too little."""
        size, gap_key = self.index.cursor, self._adopt_gaps()
        with self.workspace.reading() as session:
            query = select(Manifest.id, Manifest.size)
            sizes = session.exec(query if manifest_id is None else query.where(Manifest.id == manifest_id)).all()
            gaps = count_gaps_by_manifest(session, gap_key)
        short = [name for name, expected in sizes if self.index.count(name) < expected - gaps.get(name, 0)]
        # Sealed a moment ago, or still to be taken in: behind, and not short.
        return short if short and size >= self.workspace.log.size and self.index.cursor == size else []

    def _complete(self, manifest_id: str, verify: Verify) -> None:
        """Mark the items of a manifest again, and embed those that the index lacks."""
        self._mark(manifest_id)
        with self.workspace.reading() as session:
            query = select(Item.id, Item.blob_sha256).join(ManifestItem, col(ManifestItem.item_id) == col(Item.id))
            digests = dict(session.exec(query.where(ManifestItem.manifest_id == manifest_id)).all())
        lacking = self.index.missing(list(digests))
        for start in range(0, len(lacking), BATCH_ENTRIES):
            self._add(
                self._describe({item_id: digests[item_id] for item_id in lacking[start : start + BATCH_ENTRIES]}), verify
            )

    def _mark(self, manifest_id: str) -> None:
        """Write to every item of a manifest which manifests it is in."""
        with self.workspace.reading() as session:
            members = session.exec(select(ManifestItem.item_id).where(ManifestItem.manifest_id == manifest_id)).all()
            for start in range(0, len(members), BATCH_MEMBERS):
                self.index.set_manifests(_manifests_of(session, members[start : start + BATCH_MEMBERS]))

    def _add(self, items: Sequence[IndexedItem], verify: Verify) -> None:
        gaps: list[IndexGap] = []
        try:
            embedded, vectors = [*items], self._embed(items)
        except _OF_THE_BYTES:
            embedded, vectors, gaps = self._embed_each(items)
        if gaps:
            with self.workspace.writing() as session:
                save_gaps(session, gaps)
        if embedded:
            verify()
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
                gap = IndexGap(collection=self.gap_key, item_id=item.item_id, blob_sha256=item.blob_sha256, code=error.code)
                gaps.append(gap)
        return embedded, np.concatenate(vectors) if vectors else np.empty((0, self.embedder.dimensions), np.float32), gaps


def _manifests_of(session: Session, item_ids: Sequence[str]) -> dict[str, list[str]]:
    manifests: dict[str, list[str]] = {item_id: [] for item_id in item_ids}
    query: Any = select(ManifestItem.item_id, ManifestItem.manifest_id).where(col(ManifestItem.item_id).in_(item_ids))
    for item_id, manifest_id in session.exec(query):
        manifests[item_id].append(manifest_id)
    return manifests
