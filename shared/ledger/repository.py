"""All SQL of the log, for SQLite and PostgreSQL alike.

Nothing here commits: the caller owns the transaction.
"""

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import Connection, ScalarSelect, func, insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from shared.clock import utc_now
from shared.errors import CorruptStateError, NotFoundError
from shared.ledger.checkpoint import SignedCheckpoint
from shared.ledger.entries import KeptOpening
from shared.ledger.merkle import leaf_hash
from shared.ledger.tables import LogCheckpoint, LogEntry

_ENTRY = SQLModel.metadata.tables[str(LogEntry.__tablename__)]
_CHECKPOINT = SQLModel.metadata.tables[str(LogCheckpoint.__tablename__)]

# SQLite before 3.32 takes 999 parameters a statement (https://www.sqlite.org/limits.html, item 9).
_PARAMETERS = 900

# On PostgreSQL ids are drawn first, since in which order rows of one statement get theirs is not promised; one array a column
# then spares the server a parameter for each value.
_NEXT_IDS = "SELECT nextval(pg_get_serial_sequence('log_entry', 'id')) FROM generate_series(1, %s)"
_INSERT_BY_ARRAYS = (
    """INSERT INTO log_entry (id, leaf_hash, entry) SELECT * FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[])"""
)
_INSERT_OPENINGS_BY_ARRAYS = (
    "INSERT INTO log_opening (entry_id, author, seed, hidden) "
    "SELECT * FROM unnest(%s::bigint[], %s::varchar[], %s::bytea[], %s::text[])"
)

# Rows fetched ahead of a reader: at the usual kilobyte an entry about 1 MB.
_READ_AHEAD = 1000


def insert_entries(session: Session, entries: Sequence[bytes]) -> list[int]:
    """Add entries without an index.

    Args:
        session: the caller's session.
        entries: canonical bytes, in order.

    Returns:
        Their row ids, in the same order.
    """
    if not entries:
        return []
    connection, hashes = session.connection(), list(map(leaf_hash, entries))
    if connection.dialect.name == "postgresql":
        ids = sorted(connection.exec_driver_sql(_NEXT_IDS, (len(entries),)).scalars())
        connection.exec_driver_sql(_INSERT_BY_ARRAYS, (ids, hashes, list(entries)))
        return ids
    connection.exec_driver_sql(
        "INSERT INTO log_entry (leaf_hash, entry) VALUES (?, ?)", list(zip(hashes, entries, strict=True))
    )
    # One writer at a time, from its first row to its end: nobody else's ids are among these.
    last = int(connection.exec_driver_sql("SELECT last_insert_rowid()").scalar_one())
    return list(range(last - len(entries) + 1, last + 1))


def insert_openings(session: Session, openings: Sequence[tuple[int, KeptOpening]]) -> None:
    """Keep what opens entries.

    Args:
        session: the caller's session.
        openings: each with the row id of its entry.
    """
    if not openings:
        return
    connection = session.connection()
    rows = [(entry_id, opening.author, opening.seed, opening.values) for entry_id, opening in openings]
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_INSERT_OPENINGS_BY_ARRAYS, tuple(map(list, zip(*rows, strict=True))))
        return
    connection.exec_driver_sql("INSERT INTO log_opening (entry_id, author, seed, hidden) VALUES (?, ?, ?, ?)", rows)


def has_pending(connection: Connection) -> bool:
    """Say whether any committed row has no index yet."""
    return connection.scalar(select(_ENTRY.c.id).where(_ENTRY.c.index.is_(None)).limit(1)) is not None


def _next_index() -> ScalarSelect[int]:
    return select(func.coalesce(func.max(_ENTRY.c.index), -1) + 1).scalar_subquery()


def assign_indices(connection: Connection, limit: int) -> int:
    """Give the oldest committed rows without an index the next indices, in order of their ids.

    It is one statement, and is to be the first of its transaction, so that on SQLite it waits for the write
    lock: a transaction that has read before may not wait. The outer condition on `index` repeats the inner
        one: on PostgreSQL it is checked again on a row that another transaction has changed meanwhile.

    Args:
        connection: with a transaction just begun.
        limit: how many rows at most.

    Returns:
        How many rows got an index.
    """
    pending = (
        select(_ENTRY.c.id, (func.row_number().over(order_by=_ENTRY.c.id) - 1).label("position"))
        .where(_ENTRY.c.index.is_(None))
        .order_by(_ENTRY.c.id)
        .limit(limit)
        .subquery()
    )
    statement = (
        update(_ENTRY)
        .values(index=_next_index() + pending.c.position)
        .where(_ENTRY.c.id == pending.c.id, _ENTRY.c.index.is_(None))
    )
    return connection.execute(statement).rowcount


def count_indexed(connection: Connection) -> int:
    """Return how many entries have an index: the size that the log is to have."""
    return int(connection.scalar(select(_next_index())) or 0)


def read_entries(connection: Connection, start: int, end: int) -> list[bytes]:
    """Read the entries [start, end) and check them.

    Raises:
        CorruptStateError: one is missing, or its bytes do not give its leaf hash.
    """
    statement = (
        select(_ENTRY.c.index, _ENTRY.c.leaf_hash, _ENTRY.c.entry)
        .where(_ENTRY.c.index >= start, _ENTRY.c.index < end)
        .order_by(_ENTRY.c.index)
    )
    entries = []
    for expected, (index, digest, entry) in zip(range(start, end), connection.execute(statement), strict=False):
        if index != expected or leaf_hash(entry) != digest:
            raise CorruptStateError(f"log_entry: expected entry {expected} with its leaf hash, got index {index}")
        entries.append(entry)
    if len(entries) != end - start:
        raise CorruptStateError(f"log_entry: expected {end - start} entries from {start}, got {len(entries)}")
    return entries


def iterate_entries(connection: Connection, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield (index, canonical bytes) of the entries [start, end)."""
    statement = (
        select(_ENTRY.c.index, _ENTRY.c.entry).where(_ENTRY.c.index >= start, _ENTRY.c.index < end).order_by(_ENTRY.c.index)
    )
    rows = connection.execute(statement, execution_options={"yield_per": _READ_AHEAD})
    yield from ((index, entry) for index, entry in rows)


def find_entries(connection: Connection, indices: Collection[int]) -> dict[int, bytes]:
    """Look up the canonical bytes of the entry at each index.

    Raises:
        CorruptStateError: an index has no entry.
    """
    entries: dict[int, bytes] = {}
    for chunk in _chunks(indices):
        statement = select(_ENTRY.c.index, _ENTRY.c.entry).where(_ENTRY.c.index.in_(chunk))
        entries.update((index, entry) for index, entry in connection.execute(statement))
    if missing := [index for index in indices if index not in entries]:
        raise CorruptStateError(f"log_entry: expected an entry at index {missing[0]}, got none")
    return entries


def find_indices(connection: Connection, entry_ids: Collection[int]) -> dict[int, int | None]:
    """Look up the index of each row id.

    Returns:
        Index, or None where it has none yet, by row id.

    Raises:
        NotFoundError: a row id is unknown.
    """
    indices: dict[int, int | None] = {}
    for chunk in _chunks(entry_ids):
        statement = select(_ENTRY.c.id, _ENTRY.c.index).where(_ENTRY.c.id.in_(chunk))
        indices.update((row_id, index) for row_id, index in connection.execute(statement))
    if missing := [entry_id for entry_id in entry_ids if entry_id not in indices]:
        raise NotFoundError(f"entry id: expected one that was appended and committed, got {missing[0]}")
    return indices


def _chunks(numbers: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(set(numbers))
    for start in range(0, len(ordered), _PARAMETERS):
        yield ordered[start : start + _PARAMETERS]


def newest_checkpoint(connection: Connection) -> LogCheckpoint | None:
    """Return the checkpoint of the largest size, or None before the first."""
    statement = select(_CHECKPOINT.c.size, _CHECKPOINT.c.root, _CHECKPOINT.c.note).order_by(_CHECKPOINT.c.size.desc()).limit(1)
    row = connection.execute(statement).first()
    return None if row is None else LogCheckpoint(size=row.size, root=row.root, note=row.note)


def find_root(connection: Connection, size: int) -> bytes | None:
    """Return the root of the recorded checkpoint of a size, or None where there is none of it."""
    return connection.scalar(select(_CHECKPOINT.c.root).where(_CHECKPOINT.c.size == size))


def insert_checkpoint(connection: Connection, checkpoint: SignedCheckpoint) -> None:
    """Record a checkpoint; its size must be new."""
    connection.execute(
        insert(_CHECKPOINT).values(size=checkpoint.size, root=checkpoint.root, note=checkpoint.note, created_at=utc_now())
    )
