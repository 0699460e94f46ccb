"""Alembic's entry: runs the migrations on the connection it is given, else on the URL of the settings."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

import shared.records.tables
from shared.db import open_database, without_limits
from shared.settings import Settings

TARGET = SQLModel.metadata
# Named so that the import, which registers every table, is plainly in use.
TABLES = shared.records.tables.ALL_TABLES


def render_item(kind: str, value: Any, _context: Any) -> str | Literal[False]:
    """Write SQLModel's own string type as the plain one, so that migrations depend on SQLAlchemy alone."""
    if kind == "type" and isinstance(value, AutoString):
        return f"sa.String(length={value.length})" if value.length else "sa.String()"
    return False


def run(connection: Connection) -> None:
    """Run the migrations inside one transaction; SQLite alters tables by copying them (batch mode)."""
    context.configure(connection=connection, target_metadata=TARGET, render_as_batch=True, render_item=render_item)
    with context.begin_transaction():
        context.run_migrations()


connection: Connection | None = context.config.attributes.get("connection")
if connection is not None:
    run(connection)
else:
    settings = Settings()
    with without_limits(open_database(settings).connect()) as new_connection:
        run(new_connection)
        new_connection.commit()
