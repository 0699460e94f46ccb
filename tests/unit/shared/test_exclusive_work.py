"""Work of one process at a time: by a lock of the database on PostgreSQL, by a lock on a file on SQLite."""

from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from shared.db import open_engine
from shared.errors import UnavailableError
from shared.exclusive_work import exclusive_work
from tests.support.qdrant_server import wait_until


def test_one_holds_the_lock_and_another_takes_over(engine: Engine, tmp_path: Path) -> None:
    # Each with its own folder on PostgreSQL, as processes on two machines would.
    folders = [tmp_path, tmp_path] if engine.dialect.name == "sqlite" else [tmp_path / "a", tmp_path / "b"]
    with exclusive_work(engine, folders[0], "work") as first:
        assert first is not None
        first()
        with exclusive_work(engine, folders[1], "work") as second:
            assert second is None
        with exclusive_work(engine, folders[1], "other work") as other:
            assert other is not None
    with suppress(ZeroDivisionError), exclusive_work(engine, folders[1], "work") as taken_over:
        assert taken_over is not None
        raise ZeroDivisionError
    with exclusive_work(engine, folders[0], "work") as again:
        assert again is not None


def test_a_lock_that_went_with_its_connection_is_noticed(engine: Engine, tmp_path: Path) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("a lock on a file has no connection to lose")
    another = open_engine(engine.url.render_as_string(hide_password=False))

    def is_free() -> bool:
        with exclusive_work(another, tmp_path, "work") as verify:
            return verify is not None

    with ExitStack() as stack:
        verify = stack.enter_context(exclusive_work(engine, tmp_path, "work"))
        assert verify is not None
        verify()
        assert not is_free()
        with another.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        wait_until(is_free)
        with pytest.raises(UnavailableError) as caught:
            verify()
        assert caught.value.code == "lock_lost"
    another.dispose()
