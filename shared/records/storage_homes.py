"""Which home folder holds the files of a database: one row, with the id that stands in a file of that folder as well.

Nothing here commits: the caller owns the transaction.
"""

from datetime import datetime

from sqlalchemy import DateTime
from sqlmodel import Field, Session, SQLModel

from shared.clock import utc_now
from shared.records.bulk_insert import insert_missing

_ONLY_ROW = 1


class StorageHome(SQLModel, table=True):
    """The home folder that belongs to the database; the table has one row."""

    __tablename__ = "storage_home"

    id: int = Field(default=_ONLY_ROW, primary_key=True, sa_column_kwargs={"autoincrement": False})
    home_id: str = Field(max_length=36)
    since: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


def find_home_id(session: Session) -> str | None:
    """Return the id of the home that belongs to the database; None where none was recorded yet."""
    row = session.get(StorageHome, _ONLY_ROW)
    return None if row is None else row.home_id


def record_first_home(session: Session, home_id: str) -> None:
    """Record the home of a database that has none; of several processes, the first one's stays."""
    insert_missing(session, StorageHome, [StorageHome(home_id=home_id).model_dump()])


def replace_home(session: Session, home_id: str) -> None:
    """Record another home in the place of the present one."""
    session.merge(StorageHome(home_id=home_id))
