"""The migrations make exactly the tables that the code declares, on both databases, and keep what was there."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from shared.db import open_engine
from shared.records.migrations.upgrade import alembic_config, migrate
from shared.records.tables import ALL_TABLES


def test_the_migrated_schema_is_the_declared_one(engine: Engine) -> None:
    assert {table.__tablename__ for table in ALL_TABLES} == set(SQLModel.metadata.tables)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_pictures_of_before_frames_were_counted_have_none(database_url: str) -> None:
    engine = open_engine(database_url)
    config = alembic_config(engine.url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0013")
        connection.execute(text("INSERT INTO blob VALUES (:sha256, 'image/gif', 1, 2, 3)"), {"sha256": "0" * 64})
        command.upgrade(config, "head")
        [blob] = connection.execute(text("SELECT sha256, size_bytes, width_px, height_px, frames FROM blob")).all()
    engine.dispose()
    assert tuple(blob) == ("0" * 64, 1, 2, 3, None)


def test_flags_of_the_first_version_wait_for_review(database_url: str) -> None:
    engine = open_engine(database_url)
    config = alembic_config(engine.url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        # The flags stand alone here: what they refer to is not what is tried.
        alone = "PRAGMA foreign_keys = OFF" if engine.dialect.name == "sqlite" else "SET session_replication_role = replica"
        driver.execute(alone)
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        insert = text(
            "INSERT INTO flag (id, check_id, item_id, state, shares, entry_id, created_at) "
            "VALUES (:id, :check, 'i', :state, '[]', :entry, '2026-01-31 12:00:00')"
        )
        connection.execute(insert, {"id": "f1", "check": "c1", "state": "raised", "entry": 1})
        connection.execute(insert, {"id": "f2", "check": "c2", "state": "settled", "entry": 2})
        command.upgrade(config, "head")
        reviews = connection.execute(text("SELECT subject_id, kind, check_id, verdict FROM review")).all()
        flags = connection.execute(text("SELECT id, amount_minor, held, contest_released FROM flag ORDER BY id")).all()
    engine.dispose()
    assert [tuple(one) for one in reviews] == [("f1", "flag", "c1", None)]
    assert [tuple(one) for one in flags] == [("f1", None, None, 0), ("f2", None, None, 0)]


def test_a_check_may_raise_a_flag_for_each_item_and_flags_of_before_stay(database_url: str, tmp_path: Path) -> None:
    engine = open_engine(database_url)
    is_sqlite = engine.dialect.name == "sqlite"
    alone = "PRAGMA foreign_keys = OFF" if is_sqlite else "SET session_replication_role = replica"
    config = alembic_config(engine.url.render_as_string(hide_password=False))
    insert = text(
        "INSERT INTO flag (id, check_id, item_id, state, shares, entry_id, created_at, contest_released, cluster_released) "
        "VALUES (:id, 'c', :item, 'raised', '[]', :entry, '2026-01-31 12:00:00', false, false)"
    )
    step = "INSERT INTO flag_step VALUES (9, 'f1', 'hold', 'finance', 'raised', '2026-01-31 12:00:00')"
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(alone)
        config.attributes["connection"] = connection
        command.upgrade(config, "0014")
        connection.execute(insert, {"id": "f1", "item": "i", "entry": 1})
        connection.execute(text(step))
        connection.commit()
    engine.dispose()
    # The step refers to the flag, as the server's own connections enforce.
    migrate(engine, tmp_path)
    with engine.connect() as connection:
        if is_sqlite:
            assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
        connection.rollback()
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(alone)
        connection.execute(insert, {"id": "f2", "item": "j", "entry": 2})
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.execute(insert, {"id": "f3", "item": "j", "entry": 3})
        assert connection.execute(text("SELECT flag_id FROM flag_step")).scalar_one() == "f1"
        config.attributes["connection"] = connection
        with pytest.raises(RuntimeError, match="checks with several"):
            command.downgrade(config, "0014")
        connection.execute(text("DELETE FROM flag WHERE id = 'f2'"))
        command.downgrade(config, "0014")
        assert connection.execute(text("SELECT id FROM flag")).scalar_one() == "f1"
    engine.dispose()
