"""Databases of long checks: SQLite in a folder, or a PostgreSQL cluster that lives as long as the check."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.support.postgres import empty_postgres

KINDS = ("sqlite", "postgresql")
# A server notices a client that was killed at its next read or write of the connection.
LEAVE_SECONDS = 20


@contextmanager
def open_database(kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database of a kind."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'sleeve.db'}"
        return
    with empty_postgres() as url:
        if url is None:
            sys.exit("PostgreSQL's binaries (initdb, pg_ctl) are not installed")
        yield url


def wait_until_left(url: str) -> None:
    """Wait until the sessions of killed clients have ended on the server; one that does not end holds its locks."""
    if not url.startswith("postgresql"):
        return
    others = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    engine = create_engine(url)
    deadline = time.monotonic() + LEAVE_SECONDS
    try:
        with engine.connect() as connection:
            while connection.scalar(others):
                connection.rollback()
                if time.monotonic() > deadline:
                    raise RuntimeError(f"sessions of killed clients are still open after {LEAVE_SECONDS} s")
                time.sleep(0.02)
    finally:
        engine.dispose()
