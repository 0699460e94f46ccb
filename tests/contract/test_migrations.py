"""The migrations make exactly the tables that the code declares, on both databases."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine
from sqlmodel import SQLModel

from shared.records.tables import ALL_TABLES


def test_the_migrated_schema_is_the_declared_one(engine: Engine) -> None:
    assert {table.__tablename__ for table in ALL_TABLES} == set(SQLModel.metadata.tables)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
