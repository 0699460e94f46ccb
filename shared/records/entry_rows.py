"""A row together with the log entry that says it: neither is ever there without the other."""

from collections.abc import Callable
from typing import TypeVar

from sqlmodel import Session, SQLModel

from shared.ledger.entries import Entry
from shared.ledger.log import Log

Row = TypeVar("Row", bound=SQLModel)


def append_entry(session: Session, entry: Entry) -> int:
    """Append one entry in the caller's transaction, and return its id.

    Raises:
        InputError: the entry is too long for the log.
    """
    [entry_id] = Log.append(session, [entry])
    return entry_id


def append_and_add(session: Session, entry: Entry, build_row: Callable[[int], Row]) -> Row:
    """Append an entry and add the row that names it, in the caller's transaction.

    Args:
        session: an open transaction; nothing is committed here.
        entry: what the log is to say.
        build_row: builds the row from the entry's id.

    Returns:
        The row, flushed: what the database refuses is raised here.

    Raises:
        InputError: the entry is too long for the log.
    """
    row = build_row(append_entry(session, entry))
    session.add(row)
    session.flush()
    return row
