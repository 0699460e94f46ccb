"""The indexer: tails the log, embeds what was registered, and keeps the vector index in step.

Rules, in order:

1. Entries are taken in the log's order; the cursor moves after the points are durable, so a crash repeats and never skips.
2. `item.registered` adds a vector; `dataset.sealed` marks its items; other entries only move the cursor. A withdrawn item
   stays: models that were trained on it still know it, and the gate has to find its copies.
3. What cannot be embedded stops the indexer with an error: a gate that is behind answers undecided, never clear.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import structlog
from sqlmodel import Session, col, select

from shared.index.index import IndexedItem, VectorIndex
from shared.records.manifests import ManifestItem
from shared.vision.embedding import Embedder
from shared.vision.embedding.streaming import embed_blobs
from shared.workspace import Workspace

# Entries a step: bounds the memory of decoded originals, and what a crash repeats.
BATCH_ENTRIES = 256
# Members of a sealed manifest a query: databases take some 30,000 parameters at most.
BATCH_MEMBERS = 10_000

log = structlog.get_logger()


@dataclass
class Indexer:
    """Brings an index up to the log; one thread at a time."""

    workspace: Workspace
    index: VectorIndex
    embedder: Embedder
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def catch_up(self) -> int:
        """Take in every entry that the log has and the index has not.

        Returns:
            The log size that the index now stands for.

        Raises:
            CorruptStateError: an item's bytes are damaged.
            NotFoundError: an item's bytes are missing.
            UnavailableError: the index does not answer.
        """
        with self._busy:
            while True:
                start = self.index.cursor
                entries = [data for _, data in self.workspace.log.entries_since(start, BATCH_ENTRIES)]
                if not entries:
                    return start
                self._take(entries)
                self.index.commit(start + len(entries))
                log.info("index_advanced", log_size=start + len(entries))

    def rebuild(self) -> int:
        """Drop the index and fill it from the log again; the neighbours are the same.

        Returns:
            The log size that the index now stands for.
        """
        with self._busy:
            self.index.clear()
        return self.catch_up()

    def _take(self, entries: Sequence[bytes]) -> None:
        parsed = [json.loads(data) for data in entries]
        registered = {
            entry["subject"]["item"]: entry["subject"]["sha256"] for entry in parsed if entry["type"] == "item.registered"
        }
        sealed = [entry["subject"]["manifest"] for entry in parsed if entry["type"] == "dataset.sealed"]
        with self.workspace.reading() as session:
            if registered:
                self._add(registered, _manifests_of(session, list(registered)))
            for manifest_id in sealed:
                members = session.exec(select(ManifestItem.item_id).where(ManifestItem.manifest_id == manifest_id)).all()
                for start in range(0, len(members), BATCH_MEMBERS):
                    self.index.set_manifests(_manifests_of(session, members[start : start + BATCH_MEMBERS]))

    def _add(self, blobs: dict[str, str], manifests: dict[str, list[str]]) -> None:
        items = [IndexedItem(item_id, digest, tuple(manifests[item_id])) for item_id, digest in blobs.items()]
        vectors = embed_blobs(self.embedder, blobs.values(), self.workspace.blobs, self.workspace.limits)
        self.index.upsert(items, np.concatenate([*vectors]))


def _manifests_of(session: Session, item_ids: Sequence[str]) -> dict[str, list[str]]:
    manifests: dict[str, list[str]] = {item_id: [] for item_id in item_ids}
    query: Any = select(ManifestItem.item_id, ManifestItem.manifest_id).where(col(ManifestItem.item_id).in_(item_ids))
    for item_id, manifest_id in session.exec(query):
        manifests[item_id].append(manifest_id)
    return manifests
