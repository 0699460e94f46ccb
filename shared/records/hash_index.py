"""All defined perceptual hashes of the database, packed in memory. New rows are read from where the last reading ended.

Rules, in order:

1. Ids of rows grow in the order of commits: what is new has a higher id than anything read.
2. After a reading, the index must hold as many rows as the database. Otherwise rows were deleted, and all is read anew.
3. What was handed out does not change when more is added behind it.
"""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session

from shared.records.fingerprints import FINGERPRINTS
from shared.records.hash_rows import HashTable, StoredHash
from shared.vision.fingerprints import RECIPE
from shared.vision.perceptual_hash import MIN_QUALITY, WORDS, PackedHashes, pack_hashes

# Rows read at a time: bounds the memory of what the driver returns.
READ_ROWS = 50_000
FIRST_CAPACITY = 1024


@dataclass(frozen=True)
class KnownHashes:
    """The hashes that can be compared, and how many fingerprints cannot be.

    Args:
        ids: shape (N,), ids of fingerprints, ascending.
        hashes: shape (N, 4).
        undefined: fingerprints whose hash is below the quality floor.
        failed: fingerprints of blobs that could not be decoded.
    """

    ids: NDArray[np.int64]
    hashes: PackedHashes
    undefined: int = 0
    failed: int = 0

    @property
    def fingerprints(self) -> int:
        """How many blobs have been looked at."""
        return len(self.ids) + self.undefined + self.failed


def _allocate(capacity: int) -> KnownHashes:
    return KnownHashes(np.empty(capacity, dtype=np.int64), np.empty((capacity, WORDS), dtype=np.uint64, order="F"))


class HashIndex:
    """The hashes of one table of a database, those of the registered blobs by default; safe to use from several threads."""

    def __init__(self, table: HashTable = FINGERPRINTS) -> None:
        self.table = table
        self._busy = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._room = _allocate(FIRST_CAPACITY)
        self._hashes = KnownHashes(self._room.ids[:0], self._room.hashes[:0])
        self._last_id = 0

    def refresh(self, session: Session) -> KnownHashes:
        """Read what is new and return all."""
        with self._busy:
            extent = self.table.measure(session, RECIPE)
            self._read_on(session, extent.last_id)
            if self._hashes.fingerprints != extent.count:
                self._reset()
                self._read_on(session, extent.last_id)
            return self._hashes

    def _read_on(self, session: Session, last_id: int) -> None:
        while self._last_id < last_id:
            rows = self.table.load(session, RECIPE, self._last_id, last_id, READ_ROWS)
            if not rows:
                return
            self._add(rows)
            self._last_id = rows[-1].id

    def _add(self, rows: list[StoredHash]) -> None:
        defined = [(row.id, row.pdq) for row in rows if row.pdq is not None and (row.quality or 0) >= MIN_QUALITY]
        failed = sum(row.pdq is None for row in rows)
        earlier, used = self._hashes, len(self._hashes.ids)
        end = used + len(defined)
        if end > len(self._room.ids):
            larger = _allocate(2 * end)
            larger.ids[:used], larger.hashes[:used] = earlier.ids, earlier.hashes
            self._room = larger
        self._room.ids[used:end] = [row_id for row_id, _ in defined]
        self._room.hashes[used:end] = pack_hashes([value for _, value in defined])
        undefined = earlier.undefined + len(rows) - len(defined) - failed
        self._hashes = KnownHashes(self._room.ids[:end], self._room.hashes[:end], undefined, earlier.failed + failed)
