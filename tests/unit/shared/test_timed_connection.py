"""Connections to a real PostgreSQL: statements, locks, idle and new connections end in time; long work may lift the limits."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from shared.db import looking_up, open_engine, overwrite_deleted, verify_answers, without_limits
from shared.errors import UnavailableError
from shared.records.migrations.upgrade import MIGRATION_LOCK_KEY, migrate
from shared.timed_connection import TCP, DatabaseTimeouts
from tests.support.postgres import frozen, new_database

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]
# The least that can be set.
SHORT = DatabaseTimeouts(connect_seconds=2, statement_seconds=1, lock_seconds=1)
SLEEP = text("SELECT pg_sleep(1.5)")


@pytest.fixture
def database(postgres_cluster: str) -> Iterator[str]:
    with new_database(postgres_cluster) as url:
        yield url


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    opened = open_engine(database, timeouts=SHORT)
    yield opened
    opened.dispose()


def _seconds_until_refused(work: Callable[[], object], error: type[Exception], match: str) -> float:
    began = time.monotonic()
    with pytest.raises(error, match=match):
        work()
    return time.monotonic() - began


def test_a_statement_that_takes_too_long_is_ended_by_the_server_and_the_connection_goes_on(engine: Engine) -> None:
    with engine.connect() as connection:
        assert _seconds_until_refused(lambda: connection.execute(SLEEP), OperationalError, "statement timeout") < 1.5
        connection.rollback()
        assert connection.scalar(text("SELECT 1")) == 1


def test_a_lock_is_waited_for_as_long_as_set(database: str, engine: Engine) -> None:
    patient = open_engine(database, timeouts=DatabaseTimeouts(lock_seconds=1))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE thing (id INTEGER)"))
    with patient.begin() as holder, patient.connect() as other:
        holder.execute(text("LOCK TABLE thing"))
        ask = text("SELECT * FROM thing")
        assert 0.9 < _seconds_until_refused(lambda: other.execute(ask), OperationalError, "lock timeout") < 5
    patient.dispose()


def test_long_work_lifts_the_limits_of_its_connection_alone(engine: Engine) -> None:
    with without_limits(engine.connect()) as connection:
        connection.execute(SLEEP)
    with engine.connect() as connection, pytest.raises(OperationalError, match="statement timeout"):
        connection.execute(SLEEP)


def test_migrations_and_vacuuming_take_as_long_as_they_need(database: str, engine: Engine, tmp_path: Path) -> None:
    # Another process migrates, for twice as long as a statement may take.
    other = open_engine(database)
    with other.connect() as holder, ThreadPoolExecutor(1) as threads:
        holder.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK_KEY})
        migration = threads.submit(migrate, engine, tmp_path)
        time.sleep(2 * SHORT.statement_seconds)
        assert not migration.done()
        holder.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK_KEY})
        migration.result(timeout=60)
    assert overwrite_deleted(engine, ["alembic_version"])
    other.dispose()


def test_every_connection_has_keepalives_and_the_url_goes_before_them(database: str) -> None:
    engine = open_engine(f"{database}?keepalives_idle=77", timeouts=SHORT)
    with engine.connect() as connection:
        parameters = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
    assert parameters["keepalives_idle"] == "77"
    # What is libpq's own default is not listed.
    expected = {name: TCP[name] for name in ("keepalives_interval", "keepalives_count", "tcp_user_timeout")}
    assert {name: parameters[name] for name in expected} == expected
    assert parameters["connect_timeout"] == "2"
    engine.dispose()


def test_a_frozen_server_is_given_up_in_use_idle_and_new(postgres_cluster: str, engine: Engine) -> None:
    lookups = looking_up(engine, 1)
    with lookups.connect() as connection:
        connection.execute(text("SELECT 1"))
    with engine.connect() as busy:
        busy.execute(text("SELECT 1"))
        with frozen(postgres_cluster):
            # The limit, and as long again for a server that should have kept it.
            ask = text("SELECT 1")
            assert 1.9 < _seconds_until_refused(lambda: busy.execute(ask), OperationalError, "no answer within 2 s") < 3
            assert _seconds_until_refused(engine.connect, OperationalError, "timeout") < 5
            # Who comes now is told at once.
            assert _seconds_until_refused(engine.connect, OperationalError, "just timed out") < 0.5
            assert _seconds_until_refused(lambda: verify_answers(engine), UnavailableError, "database does not answer") < 3
            with lookups.connect() as lookup:
                assert _seconds_until_refused(lambda: lookup.execute(ask), OperationalError, "no answer") < 5
    time.sleep(1.1)
    verify_answers(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
