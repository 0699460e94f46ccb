"""A small log to test against: its key, its folder, and entries to put in."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from shared.db import open_engine
from shared.ledger.entries import Entry, build_entry
from shared.ledger.keyfile import load_or_create_signer
from shared.ledger.log import Log
from shared.ledger.note import Signer


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with the log's tables only, for what does not depend on the database: it is quick to set up."""
    engine = open_engine(f"sqlite:///{tmp_path / 'log.db'}")
    tables = [SQLModel.metadata.tables[name] for name in ("log_entry", "log_checkpoint")]
    SQLModel.metadata.create_all(engine, tables)
    yield engine
    engine.dispose()


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return load_or_create_signer(tmp_path / "key.pem", "example.com/log")


@pytest.fixture
def log(engine: Engine, tmp_path: Path, signer: Signer) -> Log:
    return Log(engine, tmp_path / "log", signer)


@pytest.fixture
def make_entry() -> Callable[[int], Entry]:
    def make(number: int) -> Entry:
        return build_entry("test.made", at=datetime(2026, 1, 31, 12, tzinfo=UTC), subject={}, body={"n": number})

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
