"""The tables of the log; the tiles are a projection of the first.

Rules, in order:

1. An entry's row is written in the transaction of the act that it records, without an index.
2. The sequencer gives committed rows their indices, contiguous from 0; an index, once committed, never
   changes.
3. A checkpoint's row is committed before anyone sees its signature; its key is the size, so a size has one
   root.
4. What opens an entry's commitments is written with its row, is never served with the log, and may be erased.
"""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Column, DateTime, Index, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel

from shared.clock import utc_now

# SQLite makes row ids for a column declared INTEGER only; PostgreSQL needs BIGINT for a log of billions.
_ROW_ID = BigInteger().with_variant(Integer, "sqlite")


class LogEntry(SQLModel, table=True):
    """One entry: its canonical bytes, their leaf hash, and its place in the log once it has one."""

    __tablename__ = "log_entry"
    __table_args__ = ({"sqlite_autoincrement": True},)  # an id is never used twice, even after a rollback

    id: int | None = Field(default=None, sa_column=Column(_ROW_ID, primary_key=True))
    index: int | None = Field(default=None, sa_column=Column(BigInteger, unique=True, nullable=True))
    leaf_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    entry: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LogCheckpoint(SQLModel, table=True):
    """One signed checkpoint."""

    __tablename__ = "log_checkpoint"

    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    root: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    note: str
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(DateTime(timezone=True), nullable=False))


class LogOpening(SQLModel, table=True):
    """What opens an entry of version 2: its hidden values, and its seed, or their salts once some were erased."""

    __tablename__ = "log_opening"
    __table_args__ = (Index("ix_log_opening_author", "author", "entry_id"),)

    entry_id: int = Field(foreign_key="log_entry.id", primary_key=True, sa_type=BigInteger)
    # Whom the entry was made for: a key's id, or `operator`.
    author: str = Field(max_length=36)
    seed: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    # JSON object: hexadecimal salt by the name of the commitment.
    salts: dict[str, str] | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    # JSON object: value by the name of the commitment.
    hidden: str = Field(sa_column=Column("hidden", Text, nullable=False))
