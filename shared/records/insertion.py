"""Many rows in one statement, for SQLite and PostgreSQL alike.

Nothing here commits: the caller owns the transaction.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Table, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel

# SQLite before 3.32 takes 999 parameters a statement (https://www.sqlite.org/limits.html, item 9).
PARAMETERS_AT_ONCE = 900

Value = TypeVar("Value")


def table_of(model: type[SQLModel]) -> Table:
    """Return the table that a model stands for."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def insert_all(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, each with every column that has no default of the database."""
    if rows:
        session.execute(insert(table_of(model)), list(rows))


def insert_missing(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose key is not there yet, also where another transaction inserts the same ones meanwhile.

    Args:
        session: an open transaction.
        model: the table.
        rows: in an order that all callers share, so that two of them cannot wait for each other.
    """
    if not rows:
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(table_of(model)).on_conflict_do_nothing(), list(rows))


def in_chunks(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Cut values into as many as a statement takes.

    >>> [len(chunk) for chunk in in_chunks(range(2000))]
    [900, 900, 200]
    """
    for start in range(0, len(values), PARAMETERS_AT_ONCE):
        yield values[start : start + PARAMETERS_AT_ONCE]
