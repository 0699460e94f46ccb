"""Work that one process does at a time, whichever of them: over one database, on however many machines.

Rules, in order:

1. On PostgreSQL the lock is a session-level advisory lock, on a connection of its own. On SQLite, whose processes are on one
   machine, it is a lock on a file.
2. Either is gone with the process that holds it, however it ends: another one takes over.
3. Nobody waits here. Who does not get the lock is told so, and asks again.
4. A holder whose connection was lost may have lost the lock: `verify` says so, and is asked before what counts is written.
"""

import fcntl
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from shared.db import NO_DATABASE, describe_failure
from shared.errors import UnavailableError

# Raises UnavailableError where the lock may be lost.
Verify = Callable[[], None]


@contextmanager
def exclusive_work(engine: Engine, folder: Path, name: str) -> Iterator[Verify | None]:
    """Hold a lock for the block; hand out how to verify that it is held, or None where another process has it.

    Args:
        engine: the database that the processes share.
        folder: of the lock's file, where the database is SQLite; made where it is missing.
        name: of the work.

    Raises:
        UnavailableError: the database does not answer.
    """
    if engine.dialect.name == "postgresql":
        with _database_lock(engine, name) as verify:
            yield verify
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield lambda: None


@contextmanager
def _database_lock(engine: Engine, name: str) -> Iterator[Verify | None]:
    key = int.from_bytes(hashlib.sha256(f"sleeve.{name}".encode()).digest()[:8], signed=True)
    try:
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    except NO_DATABASE as error:
        raise UnavailableError(describe_failure(error)) from error
    try:
        if not _ask(connection, "SELECT pg_try_advisory_lock(:key)", key):
            yield None
            return
        try:
            yield lambda: _verify(connection)
        finally:
            _release(connection, key)
    finally:
        connection.close()


def _release(connection: Connection, key: int) -> None:
    try:
        _ask(connection, "SELECT pg_advisory_unlock(:key)", key)
    except UnavailableError:
        connection.invalidate()  # ends the server's session, if there still is one, and with it the lock


def _verify(connection: Connection) -> None:
    _ask(connection, "SELECT :key", 1)


def _ask(connection: Connection, statement: str, key: int) -> bool:
    try:
        if not connection.invalidated:  # a fresh connection would not have the lock
            return bool(connection.execute(text(statement), {"key": key}).scalar_one())
    except SQLAlchemyError as error:
        raise _lost() from error
    raise _lost()


def _lost() -> UnavailableError:
    return UnavailableError("the database connection that holds a lock was lost", code="lock_lost")
