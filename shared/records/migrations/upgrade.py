"""Bringing a database to the newest schema, by Alembic; safe to call from several processes at once."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from shared.db import NO_DATABASE, describe_failure, reading, without_limits
from shared.errors import CorruptStateError, UnavailableError

# Any constant known to all processes; "sleeve-m" in ASCII, which fits PostgreSQL's bigint key.
MIGRATION_LOCK_KEY = int.from_bytes(b"sleeve-m")


def alembic_config(url: str) -> Config:
    """Build the Alembic configuration that points at the migrations of this folder."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(engine: Engine, lock_folder: Path) -> None:
    """Bring the schema to the newest version; does nothing where it is there already.

    Args:
        engine: the database.
        lock_folder: a folder on this machine; processes that migrate the same SQLite file queue on a lock in it.

    Raises:
        UnavailableError: the database does not answer.
        CorruptStateError: a newer version made the database.
    """
    config = alembic_config(engine.url.render_as_string(hide_password=False))
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_current_head()
    try:
        current = _current_revision(engine)
        if current == newest:
            return
        if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
            raise CorruptStateError(
                f"expected a database of version {newest} or older, got {current}: a newer Sleeve made it; use that one",
                code="database_newer",
            )
        with _migration_lock(engine, lock_folder), without_limits(engine.connect()) as connection, _copying_tables(connection):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except NO_DATABASE as error:
        raise UnavailableError(describe_failure(error)) from error


def _current_revision(engine: Engine) -> str | None:
    with reading(engine).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _copying_tables(connection: Connection) -> Iterator[None]:
    """Let SQLite replace a table that others refer to by its copy: dropping it would count as deleting its rows.

    The pragma has no effect within a transaction, so it is set before the first statement and after the commit.
    """
    driver = connection.connection.driver_connection
    if connection.dialect.name != "sqlite" or driver is None:
        yield
        return
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        connection.rollback()  # what was not committed
        driver.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _migration_lock(engine: Engine, lock_folder: Path) -> Iterator[None]:
    if engine.dialect.name == "postgresql":
        with without_limits(engine.connect()) as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK_KEY})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK_KEY})
        return
    lock_folder.mkdir(parents=True, exist_ok=True)
    with (lock_folder / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
