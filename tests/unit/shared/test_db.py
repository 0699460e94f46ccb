"""Engines: which URLs are taken, what SQLite promises, and that reading takes no write lock."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from shared.db import looking_up, open_engine, reading
from shared.errors import InputError


@pytest.mark.parametrize(
    "url", ["", "no url", "sqlite://", "mysql://localhost/x", "nosuch+driver://x", "postgresql+asyncpg://x/y"]
)
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        open_engine(url)


def test_postgresql_means_psycopg_and_nothing_is_connected_yet() -> None:
    assert open_engine("postgresql://nobody@nowhere.invalid/db").url.drivername == "postgresql+psycopg"


def test_sqlite_makes_its_folder_and_commits_durably(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new' / 'sleeve.db'}")
    expected = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "secure_delete": 1}
    with engine.connect() as connection:
        assert {name: connection.scalar(text(f"PRAGMA {name}")) for name in expected} == expected
    engine.dispose()


def test_writers_queue_from_their_first_statement_on_and_readers_wait_for_nobody(tmp_path: Path) -> None:
    engine, other = (open_engine(f"sqlite:///{tmp_path / 'sleeve.db'}") for _ in range(2))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE thing (id INTEGER)"))
    with engine.begin() as writer:
        with reading(other).connect() as reader:
            assert reader.scalar(text("SELECT count(*) FROM thing")) == 0
            reader.exec_driver_sql("PRAGMA busy_timeout=0")
        with other.connect() as second, pytest.raises(OperationalError, match="locked"):
            second.execute(text("SELECT 1"))
        writer.execute(text("INSERT INTO thing VALUES (1)"))
    engine.dispose()
    other.dispose()


def test_engines_of_look_ups_end_with_the_one_they_are_of(engine: Engine) -> None:
    lookups = looking_up(engine, 2)
    with lookups.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    assert lookups.pool.checkedin() >= 1  # type: ignore[attr-defined]
    engine.dispose()
    assert lookups.pool.checkedin() == 0  # type: ignore[attr-defined]
