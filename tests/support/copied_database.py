"""A database copied row by row into another one, so that what was made once on SQLite can be used on PostgreSQL."""

from pathlib import Path

from sqlalchemy import Engine, func, insert, select, text
from sqlmodel import SQLModel

from shared.db import open_engine, reading
from shared.records.migrations.upgrade import migrate

ROWS_AT_ONCE = 1000


def copy_database(source: Engine, url: str, lock_folder: Path) -> None:
    """Fill an empty database with every row of another one."""
    target = open_engine(url)
    migrate(target, lock_folder)
    with reading(source).connect() as old, target.begin() as new:
        for table in SQLModel.metadata.sorted_tables:
            rows = [dict(row._mapping) for row in old.execute(select(table))]
            for start in range(0, len(rows), ROWS_AT_ONCE):
                new.execute(insert(table), rows[start : start + ROWS_AT_ONCE])
            if target.dialect.name == "postgresql" and rows and "id" in table.c and table.c.id.type.python_type is int:
                highest = new.execute(select(func.max(table.c.id))).scalar_one()
                sequence = {"table": f'"{table.name}"', "highest": highest}
                new.execute(text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :highest)"), sequence)
    target.dispose()
