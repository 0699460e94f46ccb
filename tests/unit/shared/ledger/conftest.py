"""A small log to test against: its key, its folder, and entries to put in.

The schema is migrated once a run: each test on SQLite gets a copy of that file, each on PostgreSQL the one database emptied.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from shared.db import open_engine
from shared.ledger.entries import Entry
from shared.ledger.keyfile import load_or_create_signer
from shared.ledger.log import Log
from shared.ledger.note import Signer
from shared.records.migrations.upgrade import migrate


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    engine = open_engine(f"sqlite:///{folder / 'log.db'}")
    migrate(engine, folder)
    engine.dispose()
    return folder / "log.db"


@pytest.fixture(scope="session")
def postgres_log_url(postgres_cluster: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a migrated PostgreSQL database, to be emptied."""
    name = f"ledger_{uuid.uuid4().hex}"
    maintenance = create_engine(postgres_cluster, isolation_level="AUTOCOMMIT")
    with maintenance.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    maintenance.dispose()
    url = postgres_cluster.rsplit("/", 1)[0] + f"/{name}"
    engine = open_engine(url)
    migrate(engine, tmp_path_factory.mktemp("migration"))
    engine.dispose()
    return url


@pytest.fixture
def sqlite_engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A database on SQLite, for what does not depend on the kind of database."""
    opened = open_engine(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'log.db')}")
    yield opened
    opened.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An empty migrated database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_engine")
        return
    opened = open_engine(request.getfixturevalue("postgres_log_url"))
    with opened.begin() as connection:
        connection.execute(text("TRUNCATE log_entry, log_checkpoint RESTART IDENTITY CASCADE"))
    yield opened
    opened.dispose()


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return load_or_create_signer(tmp_path / "key.pem", "example.com/log")


@pytest.fixture
def log(engine: Engine, tmp_path: Path, signer: Signer) -> Log:
    return Log(engine, tmp_path / "log", signer)


@pytest.fixture
def make_entry() -> Callable[[int], Entry]:
    def make(number: int) -> Entry:
        return Entry(type="test.made", at="2026-01-31T12:00:00.000Z", subject={}, body={"n": number})

    return make


@pytest.fixture
def append(engine: Engine, make_entry: Callable[[int], Entry]) -> Callable[[int], list[int]]:
    """Append that many entries in one committed transaction; return their ids."""

    def append_entries(count: int) -> list[int]:
        with Session(engine) as session:
            entry_ids = Log.append(session, [make_entry(number) for number in range(count)])
            session.commit()
        return entry_ids

    return append_entries
