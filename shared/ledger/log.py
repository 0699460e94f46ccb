"""The log as its owner's services use it: append, integrate, receipts, proofs, reading.

Rules, in order:

1. What is read through a `Log` is under a recorded, signed checkpoint: an entry that is only committed is
   not there yet, and a receipt for it integrates first.
2. The database answers for entries and checkpoints, the tiles for hashes.
3. Reading takes no write lock: on SQLite, where a transaction otherwise begins by taking it, one that only reads carries
   the execution option `sqlite_deferred` (see `shared.db`). So reading never waits for a writer, nor a writer for it.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.errors import CorruptStateError, InputError, NotFoundError, VerificationError
from shared.ledger import repository, sequencer
from shared.ledger.checkpoint import SignedCheckpoint, verify_checkpoint
from shared.ledger.entries import Entry
from shared.ledger.layout import TilePlace, parse_tile_path, tile_width
from shared.ledger.merkle import build_consistency_proof, build_inclusion_proof
from shared.ledger.note import Signer
from shared.ledger.proof import TlogProof, build_tlog_proof
from shared.ledger.served_tiles import ServedTiles
from shared.ledger.tiles import TileStore


def verify_key_is_there(engine: Engine, folder: Path, key_path: Path) -> None:
    """Check that a log which was signed before has its key: a fresh one would begin another log in its place.

    Args:
        engine: the database.
        folder: the log's.
        key_path: of the log's private key.

    Raises:
        CorruptStateError: there are checkpoints and no key.
    """
    if key_path.exists():
        return
    with engine.execution_options(sqlite_deferred=True).connect() as connection:
        is_recorded = repository.newest_checkpoint(connection) is not None
    if is_recorded or TileStore(folder).checkpoint_note() is not None:
        raise CorruptStateError(
            f"expected the log's key in {key_path}, got none, and the log has signed checkpoints: restore the key from the "
            "backup of this home, or set SLEEVE_HOME to the home that belongs to this database",
            code="log_key_missing",
        )


class Log:
    """One tamper-evident log.

    Args:
        engine: the database that holds `log_entry` and `log_checkpoint`.
        folder: where tiles, bundles and checkpoint stand; made where it is missing.
        signer: the log's key; its name is the log's origin.
    """

    def __init__(self, engine: Engine, folder: Path, signer: Signer) -> None:
        self._reading = engine.execution_options(sqlite_deferred=True)
        self._store = TileStore(folder)
        self._served = ServedTiles(self._store)
        self._signer = signer
        self._sequencer = sequencer.Sequencer(engine, self._store, signer)

    @staticmethod
    def append(session: Session, entries: Iterable[Entry]) -> list[int]:
        """Add entries inside the caller's transaction; see `sequencer.append`."""
        return sequencer.append(session, entries)

    @property
    def vkey(self) -> str:
        """The verifier key, by which anyone checks this log."""
        return self._signer.vkey

    @property
    def folder(self) -> Path:
        """The folder that is served."""
        return self._store.folder

    @property
    def size(self) -> int:
        """How many entries are under the newest checkpoint."""
        return self.checkpoint().size

    def integrate(self) -> SignedCheckpoint:
        """Bring every committed entry under a signed checkpoint; see `Sequencer.integrate`."""
        return self._sequencer.integrate()

    def verify_folder(self) -> None:
        """Check that the folder holds nothing that the database does not know; see `Sequencer.verify_folder`."""
        self._sequencer.verify_folder()

    def checkpoint(self) -> SignedCheckpoint:
        """Return the newest signed checkpoint; the first call on a new log makes the one of size 0.

        Raises:
            VerificationError: the recorded checkpoint is not signed by this log's key.
        """
        with self._reading.connect() as connection:
            row = repository.newest_checkpoint(connection)
        return self.integrate() if row is None else verify_checkpoint(row.note, self.vkey)

    def receipt(self, entry_id: int) -> str:
        """Return the receipt of one entry; see `receipts`."""
        return self.receipts([entry_id])[0]

    def receipts(self, entry_ids: Sequence[int]) -> list[str]:
        """Return receipts, each of which verifies alone and offline.

        Args:
            entry_ids: what `append` returned, of committed transactions.

        Returns:
            tlog-proof texts with the entry in `extra`, in the order of the ids, all under one checkpoint.

        Raises:
            NotFoundError: an id was never appended and committed.
        """
        checkpoint, indices = self._locate(entry_ids)
        read = self._store.build_reader(checkpoint.size)
        texts = []
        for index, entry in zip(indices, self._entries_at(indices), strict=True):
            hashes = tuple(build_inclusion_proof(index, checkpoint.size, read))
            texts.append(build_tlog_proof(TlogProof(index, hashes, checkpoint.note, entry)))
        return texts

    def index_of(self, entry_id: int) -> int:
        """Return the index of an entry, which is integrated first where it has none yet.

        Raises:
            NotFoundError: the id was never appended and committed.
        """
        return self._locate([entry_id])[1][0]

    def entry(self, index: int) -> bytes:
        """Return the canonical bytes of the entry at an index.

        Raises:
            NotFoundError: the log has no such index.
        """
        size = self.size
        if not 0 <= index < size:
            raise NotFoundError(f"entry index: expected 0 to {size - 1} in a log of {size} entries, got {index}")
        return self._entries_at([index])[0]

    def entries_since(self, index: int, limit: int) -> Iterator[tuple[int, bytes]]:
        """Read on from an index, for what follows the log.

        Args:
            index: the first index wanted, at least 0.
            limit: how many entries at most.

        Yields:
            (index, canonical bytes), in order, none beyond the newest checkpoint.

        Raises:
            InputError: index or limit is negative.
        """
        if index < 0 or limit < 0:
            raise InputError(f"index and limit: expected 0 or more, got {index} and {limit}")
        end = min(self.size, index + limit)
        with self._reading.connect() as connection:
            yield from repository.iterate_entries(connection, index, end)

    def resource(self, path: str) -> bytes:
        """Return a tile or entry bundle, an unfinished one from the head of the full one where it is gone.

        Args:
            path: below the log's prefix, such as `tile/0/000` or `tile/entries/001.p/44`.

        Raises:
            NotFoundError: the path is not one of the format, or this log does not have it.
            CorruptStateError: it is damaged: it does not give the root that was signed.
        """
        place = parse_tile_path(path)
        data = None if place is None else self._load_resource(place)
        if data is None:
            raise NotFoundError(f"expected a tile or entry bundle of this log, got {path[:120]!r}", code="tile_not_found")
        return data

    def _load_resource(self, place: TilePlace) -> bytes | None:
        published = self._published()
        if published is None or place.width > tile_width(place.level, place.index, published.size):
            # The checkpoint may be recorded a moment before it is published.
            published = self.checkpoint()
        return self._served.load(place, published)

    def _published(self) -> SignedCheckpoint | None:
        note = self._store.checkpoint_note()
        try:
            return None if note is None else verify_checkpoint(note, self.vkey)
        except VerificationError as error:
            raise CorruptStateError(f"checkpoint in {self.folder}: {error.message}") from error

    def prove_inclusion(self, index: int, size: int) -> list[bytes]:
        """Prove that the entry at an index is in the log of a given size.

        Args:
            index: zero-based, below `size`.
            size: at most the newest checkpoint's.

        Returns:
            32-byte hashes from the leaf's sibling up.

        Raises:
            InputError: index or size is out of range.
        """
        self._check_size(size)
        return build_inclusion_proof(index, size, self._store.build_reader(size))

    def prove_consistency(self, old_size: int, new_size: int) -> list[bytes]:
        """Prove that the log of one size begins with the log of another.

        Args:
            old_size: at most `new_size`.
            new_size: at most the newest checkpoint's.

        Returns:
            32-byte hashes, in RFC 6962's order.

        Raises:
            InputError: a size is out of range.
        """
        self._check_size(new_size)
        return build_consistency_proof(old_size, new_size, self._store.build_reader(new_size))

    def _check_size(self, size: int) -> None:
        newest = self.size
        if not 0 <= size <= newest:
            raise InputError(f"tree size: expected 0 to {newest}, got {size}")

    def _locate(self, entry_ids: Sequence[int]) -> tuple[SignedCheckpoint, list[int]]:
        """Find the indices of entries and a checkpoint that covers all, integrating where there is none."""
        with self._reading.connect() as connection:
            indices = repository.find_indices(connection, entry_ids)
        checkpoint = self.checkpoint()
        if any(index is None or index >= checkpoint.size for index in indices.values()):
            checkpoint = self.integrate()
            with self._reading.connect() as connection:
                indices = repository.find_indices(connection, entry_ids)
        return checkpoint, [index for entry_id in entry_ids if (index := indices[entry_id]) is not None]

    def _entries_at(self, indices: Sequence[int]) -> list[bytes]:
        with self._reading.connect() as connection:
            by_index = repository.find_entries(connection, indices)
        return [by_index[index] for index in indices]
