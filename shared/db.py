"""Database engines: SQLite by default, PostgreSQL by URL.

Rules, in order:

1. SQLite runs in WAL mode with foreign keys on, waits for locks, and makes each commit durable (`synchronous=FULL`):
   what was acknowledged survives a power cut. Deleted rows are overwritten (`secure_delete`): what was erased is gone.
2. A write transaction on SQLite begins IMMEDIATE, so that two writers queue instead of failing half-way.
3. A connection to PostgreSQL has time-outs (`shared.timed_connection`). Work that may take long lifts those of statements for
   its own connection (`without_limits`).
4. A SQLite file that is damaged is a `CorruptStateError` with what to do, wherever it is met.

The schema is made by `shared.records.migrations.upgrade`.
"""

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.errors import CorruptStateError, InputError, UnavailableError
from shared.settings import Settings
from shared.timed_connection import Connector, DatabaseTimeouts, TimedConnection

# What says that the database, or a connection to it, cannot be had now.
NO_DATABASE = (OperationalError, PoolTimeoutError)
# How long a writer waits for another one before it gives up.
BUSY_TIMEOUT_SECONDS = 30
# https://www.sqlite.org/rescode.html: a page that is none, a file that is none.
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# A look-up is one statement by a key: a database that takes longer is down.
_LOOKUP_TIMEOUTS = DatabaseTimeouts(connect_seconds=2, statement_seconds=2, lock_seconds=2)
# How long readers may keep what was deleted in the write-ahead log.
CHECKPOINT_SECONDS = 5.0


def open_database(settings: Settings) -> Engine:
    """Open the database that the settings name; see `open_engine`."""
    timeouts = DatabaseTimeouts(
        settings.database_connect_seconds, settings.database_statement_seconds, settings.database_lock_seconds
    )
    return open_engine(settings.resolved_database_url, settings.database_password, timeouts)


def open_engine(url: str, password: SecretStr | None = None, timeouts: DatabaseTimeouts | None = None) -> Engine:
    """Open a database.

    Args:
        url: `sqlite:///FILE` or `postgresql+psycopg://USER@HOST/NAME` (`postgresql://` is taken to mean psycopg).
        password: of the database's user, unescaped; where it is not given, the URL may hold one. SQLite has none.
        timeouts: of PostgreSQL; the settings' defaults where they are not given. SQLite has its own.

    Returns:
        An engine; nothing is connected yet.

    Raises:
        InputError: the URL is not one of these.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InputError("database URL cannot be parsed; expected sqlite:///FILE or postgresql://…") from error
    if password is not None and parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(password=password.get_secret_value())
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        if parsed.get_backend_name() == "sqlite":
            return _open_sqlite(parsed.render_as_string(hide_password=False), parsed.database)
        if parsed.drivername == "postgresql+psycopg":
            return _open_postgresql(parsed, timeouts or DatabaseTimeouts(), pool_pre_ping=True)
    except NoSuchModuleError as error:
        raise InputError(f"no driver for database URL scheme {parsed.drivername!r}") from error
    raise InputError(f"expected a database URL of sqlite or postgresql, got scheme {parsed.drivername!r}")


def _open_postgresql(url: URL, timeouts: DatabaseTimeouts, **options: Any) -> Engine:
    engine = create_engine(url, **options)
    connector = Connector(timeouts)
    event.listen(engine, "do_connect", lambda _dialect, _record, given, named: connector.connect(*given, **named))
    # What a pool does with an idle connection is to ask whether it still works.
    event.listen(engine, "checkin", lambda connection, _record: connection and connection.go_idle())  # codespell:ignore
    event.listen(engine, "checkout", lambda connection, _record, _proxy: connection.go_to_work())
    return engine


def _open_sqlite(url: str, database: str | None) -> Engine:
    if not database:
        raise InputError("expected a SQLite file in the database URL, got an in-memory database")
    Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    event.listen(engine, "handle_error", lambda context: _raise_damage(context, database))
    return engine


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transaction handling is off: `_begin_immediate` starts transactions.
    connection.isolation_level = None
    try:
        _set_pragmas(connection)
    except sqlite3.DatabaseError as error:
        _verify_undamaged(error, None)
        raise


def _set_pragmas(connection: Any) -> None:
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _raise_damage(context: ExceptionContext, database: str) -> None:
    _verify_undamaged(context.original_exception, database)


def _verify_undamaged(error: BaseException, database: str | None) -> None:
    """Check that an error of SQLite does not say that its file is damaged.

    Raises:
        CorruptStateError: it does.
    """
    # An extended code has its primary one in the low byte.
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        name = f"the database {database}" if database else "the database"
        raise CorruptStateError(
            f"{name} is damaged ({error}): stop all processes and restore it from a backup, or recover what is readable with "
            "`sqlite3 sleeve.db .recover`; `sleeve verify log` says whether the log is whole",
            code="database_damaged",
        ) from error


def _begin_immediate(connection: Connection) -> None:
    deferred = connection.get_execution_options().get("sqlite_deferred", False)
    connection.exec_driver_sql("BEGIN DEFERRED" if deferred else "BEGIN IMMEDIATE")


def reading(engine: Engine) -> Engine:
    """Return a view of the engine for transactions that only read: on SQLite they take no write lock."""
    return engine.execution_options(sqlite_deferred=True)


def looking_up(engine: Engine, connections: int) -> Engine:
    """Return an engine for look-ups of one statement each, with connections of its own: no look-up waits for other work's.

    On PostgreSQL, where every round trip counts, they begin no transaction and are not tried before they are used: one that
    was lost is found when it is used, by an error with `connection_invalidated`, and the next one is fresh. They have seconds
    to answer, and are closed with the engine's own.
    """
    if engine.dialect.name == "sqlite":
        ours = _open_sqlite(engine.url.render_as_string(hide_password=False), engine.url.database)
    else:
        ours = _open_postgresql(
            engine.url,
            _LOOKUP_TIMEOUTS,
            isolation_level="AUTOCOMMIT",
            pool_size=connections,
            max_overflow=0,
            pool_reset_on_return=None,
        )
    event.listen(engine, "engine_disposed", lambda _engine: ours.dispose())
    return reading(ours)


def without_limits(connection: Connection) -> Connection:
    """Let statements of a connection, and its waits for locks, take as long as they need; it then belongs to no pool.

    Args:
        connection: with no transaction begun.
    """
    if connection.dialect.name == "postgresql":
        connection.detach()
        connection.connection.dbapi_connection.lift_limits()  # type: ignore[union-attr]
    return connection


def verify_answers(engine: Engine) -> None:
    """Check, within seconds, that a database answers, on a connection of its own.

    Raises:
        UnavailableError: it does not.
    """
    try:
        if engine.dialect.name == "sqlite":
            with reading(engine).connect() as connection:
                connection.execute(text("SELECT 1"))
            return
        given, named = engine.dialect.create_connect_args(engine.url)
        with closing(TimedConnection.open(_LOOKUP_TIMEOUTS, *given, **named)) as fresh:
            fresh.execute("SELECT 1")
    except OperationalError as error:
        raise UnavailableError(describe_failure(error)) from error
    except psycopg.OperationalError as error:
        raise UnavailableError(_describe(error)) from error


def overwrite_deleted(engine: Engine, tables: Sequence[str]) -> bool:
    """Take what was deleted out of the database's files, as far as the database lets us.

    SQLite: the write-ahead log, which holds pages as they were, is written back and emptied. PostgreSQL: dead rows of the
    tables are made free for others; its write-ahead log and its backups keep them for as long as the operator keeps those.

    Args:
        engine: the database.
        tables: from which rows were deleted, or in which they were changed.

    Returns:
        Whether it was done; not where another process read all the while.
    """
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        if engine.dialect.name == "postgresql":
            without_limits(connection)
            for table in tables:
                connection.execute(text(f"VACUUM {engine.dialect.identifier_preparer.quote(table)}"))
            return True
    deadline = time.monotonic() + CHECKPOINT_SECONDS
    while not _empty_write_ahead_log(engine):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _empty_write_ahead_log(engine: Engine) -> bool:
    raw = engine.raw_connection()
    try:
        busy, _, _ = raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # type: ignore[union-attr]
        return not busy
    finally:
        raw.close()


def describe_failure(error: OperationalError | PoolTimeoutError) -> str:
    """Say in one line why the database does not answer; drivers take several."""
    return _describe(error.orig if isinstance(error, OperationalError) else error)


def _describe(error: BaseException | None) -> str:
    return f"database does not answer: {' '.join(str(error).split())}"
