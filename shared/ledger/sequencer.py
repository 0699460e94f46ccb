"""The sequencer: gives committed entries their place, writes the tiles, signs the checkpoint.

Rules, in order:

1. `append` inserts inside the caller's transaction and never commits: the act and its entry stand or fall
   together.
2. One integration runs at a time. An fcntl lock in the tile folder keeps out every process and thread of
   this machine, on either database; on PostgreSQL, where processes may be on several machines, a
   session-level advisory lock is taken as well, on the very connection that does the work: if the
   connection dies, so do both. Always the folder's lock first, so they cannot wait for each other.
3. Steps of an integration, each durable before the next: recover, assign indices, write bundles and tiles,
   record the checkpoint in the database, publish it in the folder, drop superseded partial tiles.
4. The locks save work; what makes a second root for one size impossible is the database. Indices are unique
   and never change once committed, so the root of a size is a function of committed rows alone, whoever
   computes it; and the recorded checkpoint has its size as its key. Hence the row comes before the file: a
   signature that left the machine is always one that the database remembers.
5. Recovery: the published checkpoint says how far the folder is complete. From there the tiles are written
   again, which does nothing where they are, up to the newest recorded checkpoint, whose root must come out,
   and on to the newest index. A lost folder is rebuilt from nothing in the same way.
6. Before a tree is extended, its root is recomputed from tiles and rows and must be the one that was
   signed. A database older than the folder, or a folder of another key, is refused: to go on from an older
   database would fork the log. The folder is what its bundles reach to, not only what its checkpoint says:
   a copy made while the log grew may hold bundles that its checkpoint does not cover yet.

The engine must make commits durable (on SQLite in WAL mode: `synchronous=FULL`), or a power cut can take
back rows that are already signed; rule 6 then refuses to go on.

Source: the design of Tessera (https://github.com/transparency-dev/tessera): sequence, integrate, publish.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.orm import Session

from shared.errors import CorruptStateError, VerificationError
from shared.ledger import repository
from shared.ledger.checkpoint import SignedCheckpoint, sign_checkpoint, verify_checkpoint
from shared.ledger.entries import Entry
from shared.ledger.frontier import TILE_WIDTH, Tile
from shared.ledger.layout import build_bundle, build_tile_path
from shared.ledger.merkle import EMPTY_ROOT, HASH_BYTES, leaf_hash
from shared.ledger.note import Signer
from shared.ledger.tiles import TileStore

# 64 full tiles: at the usual kilobyte an entry about 16 MB in memory, and a new checkpoint several times a
# second.
_BATCH = 64 * TILE_WIDTH

# The first 8 bytes of SHA-256("sleeve.ledger.sequencer") as a signed integer: no other lock will have it by
# chance.
_ADVISORY_LOCK = -0x83FB2EDD01C46C9

# What an operator can do about a database and a folder that do not belong together.
_RESTORE = (
    "restore a backup of the database that was taken after that of log/, and do not remove log/: "
    "what it published would be contradicted"
)


def append(session: Session, entries: Iterable[Entry]) -> list[int]:
    """Add entries to the log, inside the caller's transaction.

    Args:
        session: a session whose transaction the caller commits.
        entries: in the order that they shall have among themselves.

    Returns:
        Their entry ids, in the same order; a receipt is asked for by them once the transaction is committed.

    Raises:
        InputError: an entry has no canonical form or is too long.
    """
    appended = list(entries)
    entry_ids = repository.insert_entries(session, [entry.canonical_bytes() for entry in appended])
    openings = ((entry_id, entry.opening) for entry_id, entry in zip(entry_ids, appended, strict=True))
    repository.insert_openings(session, [(entry_id, opening) for entry_id, opening in openings if opening is not None])
    return entry_ids


class Sequencer:
    """Integrates appended entries into the tree of one log.

    Args:
        engine: the database.
        store: the log's folder.
        signer: the log's key.
    """

    def __init__(self, engine: Engine, store: TileStore, signer: Signer) -> None:
        self._engine = engine
        self._store = store
        self._signer = signer

    def integrate(self) -> SignedCheckpoint:
        """Bring every committed entry under a signed checkpoint.

        Returns:
            The newest checkpoint; of size 0 where nothing was ever appended.

        Raises:
            CorruptStateError: rows, tiles and checkpoints contradict each other.
        """
        with self._exclusive() as connection:
            head = self._recover(connection)
            while True:
                full = self._assign(connection) == _BATCH
                head = self._advance(connection, head)
                if not full:
                    return head

    def verify_folder(self) -> None:
        """Check that the folder holds nothing that the database does not know; takes no lock and writes nothing.

        Raises:
            CorruptStateError: the database is older than the folder, or of another log.
        """
        # The folder first: what stands in it was in the database before.
        published, bundled = self._published(), self._store.count_bundled()
        with self._engine.connect() as connection, _reading(connection):
            self._verify_known(connection, published, bundled)

    def _verify_known(self, connection: Connection, published: SignedCheckpoint | None, bundled: int) -> None:
        indexed = repository.count_indexed(connection)
        size = max(published.size if published else 0, bundled)
        if size > indexed:
            raise CorruptStateError(
                f"the database is older than the log's folder {self._store.folder}: it has {indexed} entries, "
                f"the folder {size}; {_RESTORE}",
                code="log_ahead",
            )
        if published is None:
            return
        root = repository.find_root(connection, published.size)
        if root != published.root:
            raise CorruptStateError(
                f"the database and the log's folder {self._store.folder} are of two logs: the checkpoint of size "
                f"{published.size} in the folder is not one of the database's; {_RESTORE}",
                code="log_foreign",
            )

    @contextmanager
    def _exclusive(self) -> Iterator[Connection]:
        """Hold both locks and hand out the connection that the work is done on."""
        with self._store.lock(), self._engine.connect() as connection:
            if connection.dialect.name != "postgresql":
                yield connection
                return
            with connection.begin():
                connection.execute(select(func.pg_advisory_lock(_ADVISORY_LOCK)))
            try:
                yield connection
            except BaseException:
                connection.invalidate()  # closes the server's session, and with it the lock
                raise
            with connection.begin():
                connection.execute(select(func.pg_advisory_unlock(_ADVISORY_LOCK)))

    def _assign(self, connection: Connection) -> int:
        with _reading(connection):
            pending = repository.has_pending(connection)
        if not pending:  # so that an idle log takes no write lock
            return 0
        with connection.begin():
            return repository.assign_indices(connection, _BATCH)

    def _recover(self, connection: Connection) -> SignedCheckpoint | None:
        """Bring the folder to the newest recorded checkpoint; an interrupted run may leave it behind."""
        published, bundled = self._published(), self._store.count_bundled()
        recorded = self._recorded(connection)
        with _reading(connection):
            self._verify_known(connection, published, bundled)
        published_size = published.size if published else 0
        if recorded is None:
            return None
        if published is None or recorded.size > published.size:
            root = self._grow(connection, published, recorded.size)
            _check_root(recorded.size, recorded.root, root)
            self._publish(published_size, recorded)
        else:
            _check_root(recorded.size, recorded.root, published.root)
        return recorded

    def _published(self) -> SignedCheckpoint | None:
        note = self._store.checkpoint_note()
        return None if note is None else self._verify(note)

    def _recorded(self, connection: Connection) -> SignedCheckpoint | None:
        with _reading(connection):
            row = repository.newest_checkpoint(connection)
        if row is None:
            return None
        checkpoint = self._verify(row.note)
        if checkpoint.size != row.size:
            raise CorruptStateError(f"log_checkpoint: expected a note of size {row.size}, got {checkpoint.size}")
        _check_root(row.size, row.root, checkpoint.root)
        return checkpoint

    def _verify(self, note: str) -> SignedCheckpoint:
        try:
            return verify_checkpoint(note, self._signer.vkey)
        except VerificationError as error:
            raise CorruptStateError(f"checkpoint in {self._store.folder}: {error.message}") from error

    def _advance(self, connection: Connection, head: SignedCheckpoint | None) -> SignedCheckpoint:
        """Take the tree, if it has to grow, to the newest index: tiles, row, file."""
        with _reading(connection):
            target = repository.count_indexed(connection)
        if head is not None and head.size == target:
            return head
        if head is not None and head.size > target:
            raise CorruptStateError(f"log_entry: expected at least {head.size} entries, got {target}")
        root = self._grow(connection, head, target)
        checkpoint = sign_checkpoint(self._signer, target, root)
        with connection.begin():
            repository.insert_checkpoint(connection, checkpoint)
        self._publish(head.size if head else 0, checkpoint)
        return checkpoint

    def _publish(self, old_size: int, checkpoint: SignedCheckpoint) -> None:
        self._store.publish(checkpoint.note)
        self._store.remove_partials(old_size, checkpoint.size)

    def _grow(self, connection: Connection, head: SignedCheckpoint | None, target: int) -> bytes:
        """Write what the folder needs to go from a checkpoint to a size, and return the new root.

        Reading starts at the last full tile, since its successor's bundle is written whole.
        """
        size, root = (head.size, head.root) if head else (0, EMPTY_ROOT)
        start = size - size % TILE_WIDTH
        frontier = self._store.load_frontier(start)
        sealed = size - start
        for first in range(start, max(target, start + 1), _BATCH):
            with _reading(connection):
                entries = repository.read_entries(connection, first, min(first + _BATCH, target))
            leaves = [leaf_hash(entry) for entry in entries]
            if first == start:
                frontier.extend(leaves[:sealed])
                _check_root(size, root, frontier.root())
                leaves = leaves[sealed:]
            self._write(first, entries, frontier.extend(leaves))
        self._store.write(_tile_files(frontier.partial_tiles()))
        return frontier.root()

    def _write(self, first: int, entries: Sequence[bytes], tiles: Sequence[Tile]) -> None:
        bundles = {}
        for offset in range(0, len(entries), TILE_WIDTH):
            bundle = entries[offset : offset + TILE_WIDTH]
            path = build_tile_path(None, (first + offset) // TILE_WIDTH, len(bundle))
            bundles[path] = build_bundle(bundle)
        self._store.write({**bundles, **_tile_files(tiles)})


@contextmanager
def _reading(connection: Connection) -> Iterator[None]:
    """A transaction that only reads; on SQLite it takes no write lock, see `shared.db`."""
    connection.execution_options(sqlite_deferred=True)
    try:
        with connection.begin():
            yield
    finally:
        connection.execution_options(sqlite_deferred=False)


def _tile_files(tiles: Sequence[Tile]) -> dict[str, bytes]:
    return {build_tile_path(tile.level, tile.index, len(tile.hashes) // HASH_BYTES): tile.hashes for tile in tiles}


def _check_root(size: int, expected: bytes, got: bytes) -> None:
    if expected != got:
        raise CorruptStateError(f"root of size {size}: expected {expected.hex()}, got {got.hex()}")
