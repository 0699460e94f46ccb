"""The registry of outputs: what the generations that the gate saw look like, in digests, by which they are found again.

Rules, in order:

1. A generation has one row a recipe, written in the transaction of its first check, whatever was decided.
2. Ids grow in the order of commits and are never used twice: who has read up to an id reads on from there.
3. Everything here can be made again from the blobs.

Nothing here commits: the caller owns the transaction.
"""

from collections.abc import Sequence

import sqlalchemy
from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, func, select

from shared.records.checks import Check
from shared.records.fingerprints import Extent, StoredHash
from shared.records.insertion import in_chunks, insert_missing, table_of

# SQLite makes row ids for a column declared INTEGER only.
_ROW_ID = BigInteger().with_variant(Integer, "sqlite")

# "sleeve-o" in ASCII: PostgreSQL's key of the lock that makes ids grow in the order of commits.
_WRITE_LOCK_KEY = int.from_bytes(b"sleeve-o")


class Output(SQLModel, table=True):
    """What one recipe made of one generation: digest of the pixels, PDQ hash and its quality."""

    __tablename__ = "output"
    __table_args__ = (
        UniqueConstraint("generation_sha256", "recipe"),
        Index("ix_output_recipe_id", "recipe", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(_ROW_ID, primary_key=True))
    generation_sha256: str = Field(max_length=64)
    recipe: int
    pixels_sha256: str = Field(max_length=64, index=True)
    pdq: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    quality: int


def save_outputs(session: Session, outputs: Sequence[Output]) -> None:
    """Keep what generations look like; what is known already stays as it is.

    On PostgreSQL this is to be the last thing of its transaction: others that write outputs wait for its end.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sqlalchemy.select(func.pg_advisory_xact_lock(_WRITE_LOCK_KEY)))
    rows = [output.model_dump(exclude={"id"}) for output in outputs]
    insert_missing(session, Output, sorted(rows, key=lambda row: str(row["generation_sha256"])))


def measure_outputs(session: Session, recipe: int) -> Extent:
    """Return count and highest id of a recipe's outputs, of one moment."""
    count, last_id = session.exec(select(func.count(), func.max(Output.id)).where(Output.recipe == recipe)).one()
    return Extent(count, last_id or 0)


def load_output_hashes(session: Session, recipe: int, after_id: int, last_id: int, limit: int) -> list[StoredHash]:
    """Return up to `limit` hashes of a recipe with after_id < id ≤ last_id, in the order of their ids."""
    row = table_of(Output).c
    query = (
        sqlalchemy.select(row.id, row.pdq, row.quality)
        .where(row.recipe == recipe, row.id > after_id, row.id <= last_id)
        .order_by(row.id)
        .limit(limit)
    )
    return [StoredHash(*facts) for facts in session.execute(query)]


def find_outputs_of_pixels(session: Session, recipe: int, pixels_sha256: str) -> list[str]:
    """Return the digests of the generations that decode to these pixels."""
    query = select(Output.generation_sha256).where(Output.pixels_sha256 == pixels_sha256, Output.recipe == recipe)
    return list(session.exec(query))


def load_outputs_of(session: Session, output_ids: Sequence[int]) -> dict[int, str]:
    """Return the generations' digests by the ids of their outputs."""
    found: dict[int, str] = {}
    for chunk in in_chunks(output_ids):
        query = select(Output.id, Output.generation_sha256).where(col(Output.id).in_(chunk))
        found |= {row_id: digest for row_id, digest in session.exec(query) if row_id is not None}
    return found


def load_checks_of(session: Session, generations: Sequence[str]) -> list[Check]:
    """Return every check of these generations, newest first."""
    found: list[Check] = []
    for chunk in in_chunks(generations):
        found.extend(session.exec(select(Check).where(col(Check.generation_sha256).in_(chunk))))
    return sorted(found, key=lambda check: check.id, reverse=True)
