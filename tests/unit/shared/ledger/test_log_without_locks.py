"""Reading a log on SQLite: it takes no write lock, so it waits for no writer and no writer for it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.db import open_engine
from shared.ledger.entries import Entry
from shared.ledger.log import Log
from shared.ledger.note import Signer

Append = Callable[[int], list[int]]


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    return sqlite_engine


@pytest.fixture
def impatient(engine: Engine) -> Iterator[Engine]:
    """The same database, where a lock that is taken is an error at once."""
    opened = open_engine(engine.url.render_as_string())

    def wait_for_nobody(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA busy_timeout=0")

    event.listen(opened, "connect", wait_for_nobody)
    yield opened
    opened.dispose()


def test_reads_do_not_wait_for_an_open_write_transaction(
    log: Log, engine: Engine, impatient: Engine, signer: Signer, append: Append, make_entry: Callable[[int], Entry]
) -> None:
    entry_ids = append(300)
    head = log.integrate()
    reader = Log(impatient, log.folder, signer)
    with Session(engine) as writer:
        Log.append(writer, [make_entry(0)])  # holds the write lock until the block ends
        with Session(impatient) as session, pytest.raises(OperationalError, match="locked"):
            Log.append(session, [make_entry(1)])
        assert reader.checkpoint() == head
        assert reader.size == 300
        assert reader.index_of(entry_ids[7]) == 7
        assert reader.entry(7) == log.entry(7)
        assert len(list(reader.entries_since(0, 500))) == 300
        assert len(reader.receipts(entry_ids[:3])) == 3
        assert reader.prove_inclusion(7, 300) == log.prove_inclusion(7, 300)
        assert reader.prove_consistency(5, 300) == log.prove_consistency(5, 300)
        assert reader.integrate() == head  # an idle log has nothing to write
        writer.rollback()


def test_writes_do_not_wait_for_an_open_read(
    log: Log, impatient: Engine, signer: Signer, append: Append, make_entry: Callable[[int], Entry]
) -> None:
    append(2000)
    log.integrate()
    writer = Log(impatient, log.folder, signer)
    followed = log.entries_since(0, 5000)
    assert next(followed)[0] == 0
    with Session(impatient) as session:
        entry_id = Log.append(session, [make_entry(1)])[0]
        session.commit()
    assert writer.index_of(entry_id) == 2000
    assert [index for index, _ in followed] == list(range(1, 2000))  # what was there when it began


def test_a_writer_still_takes_the_lock_at_the_start(log: Log, engine: Engine, impatient: Engine) -> None:
    log.integrate()
    with engine.begin(), pytest.raises(OperationalError, match="locked"), impatient.begin():
        pass
    with engine.begin() as writer, engine.execution_options(sqlite_deferred=True).connect() as reader:
        writer.execute(text("DELETE FROM log_checkpoint"))
        assert reader.scalar(text("SELECT count(*) FROM log_checkpoint")) == 1


def test_resources_are_those_of_the_folder(log: Log, append: Append, tmp_path: Path) -> None:
    append(300)
    log.integrate()
    for path in log.folder.rglob("tile/**/*"):
        if path.is_file():
            assert log.resource(str(path.relative_to(log.folder))) == path.read_bytes()
