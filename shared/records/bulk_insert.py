"""Many rows in one statement, for SQLite and PostgreSQL alike.

Rules, in order:

1. Nothing here commits: the caller owns the transaction.
2. Rows go straight to the driver: by `executemany` on SQLite, as one array a column on PostgreSQL. Work that SQLAlchemy would
   repeat for each row is done once a statement. How a value is spelled still follows from its column's SQLAlchemy type.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Dialect, Table
from sqlmodel import Session, SQLModel

# SQLite before 3.32 takes 999 parameters a statement (https://www.sqlite.org/limits.html, item 9).
PARAMETERS_AT_ONCE = 900

Value = TypeVar("Value")
Spell = Callable[[Any], Any] | None


def table_of(model: type[SQLModel]) -> Table:
    """Return the table that a model stands for."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def insert_all(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, each with the same columns: every one that has no default of the database."""
    _insert(session, model, rows, "")


def insert_missing(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose key is not there yet, also where another transaction inserts the same ones meanwhile.

    Args:
        session: an open transaction.
        model: the table.
        rows: in an order that all callers share, so that two of them cannot wait for each other; each with the same columns.
    """
    _insert(session, model, rows, " ON CONFLICT DO NOTHING")


def _insert(session: Session, model: type[SQLModel], rows: Sequence[Mapping[str, Any]], otherwise: str) -> None:
    if not rows:
        return
    session.flush()  # rows that these refer to may be waiting in the session
    connection = session.connection()
    names = tuple(rows[0])
    spellings = _spellings(table_of(model), names, connection.dialect)
    columns = [
        [row[name] if spell is None or row[name] is None else spell(row[name]) for row in rows]
        for name, spell in zip(names, spellings, strict=True)
    ]
    statement = _statement(table_of(model), names, connection.dialect) + otherwise
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement, tuple(columns))
    else:
        connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))


@lru_cache
def _spellings(table: Table, names: tuple[str, ...], dialect: Dialect) -> list[Spell]:
    return [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]


@lru_cache
def _statement(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    quote = dialect.identifier_preparer.quote
    into = f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, names))})"
    if dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{table.c[name].type.compile(dialect)}[]" for name in names)
        return f"{into} SELECT * FROM unnest({arrays})"  # noqa: S608 - names of our own tables
    return f"{into} VALUES ({', '.join('?' * len(names))})"


def in_chunks(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Cut values into as many as a statement takes.

    >>> [len(chunk) for chunk in in_chunks(range(2000))]
    [900, 900, 200]
    """
    for start in range(0, len(values), PARAMETERS_AT_ONCE):
        yield values[start : start + PARAMETERS_AT_ONCE]
