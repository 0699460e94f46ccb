"""Tables of perceptual hashes: what the fingerprints of blobs and the registry of outputs have in common.

Rules, in order:

1. A row belongs to some bytes, named by their SHA-256, and to a recipe; another recipe makes another row.
2. Ids grow in the order of commits and are never used twice: who has read up to an id reads on from there.

Nothing here commits: the caller owns the transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import BigInteger, ColumnElement, Integer
from sqlmodel import Session, SQLModel, func

from shared.records.bulk_insert import in_chunks, insert_missing, table_of

# SQLite makes row ids for a column declared INTEGER only.
ROW_ID = BigInteger().with_variant(Integer, "sqlite")


@dataclass(frozen=True)
class StoredHash:
    """A row's PDQ hash; None where the bytes could not be decoded."""

    id: int
    pdq: bytes | None
    quality: int | None


@dataclass(frozen=True)
class Extent:
    """How many rows of a recipe there are, and the highest id among them; 0 where there is none."""

    count: int
    last_id: int


@dataclass(frozen=True)
class HashTable:
    """A table of perceptual hashes.

    Args:
        model: its rows, with id, recipe, pixels_sha256, pdq and quality.
        named_by: its column of the bytes' digest.
        lock: eight ASCII letters, PostgreSQL's key of the lock that makes ids grow in the order of commits.
    """

    model: type[SQLModel]
    named_by: str
    lock: bytes

    def measure(self, session: Session, recipe: int) -> Extent:
        """Return count and highest id of a recipe's rows, of one moment."""
        query = sqlalchemy.select(func.count(), func.max(self._column("id"))).where(self._column("recipe") == recipe)
        count, last_id = session.execute(query).one()
        return Extent(count, last_id or 0)

    def load(self, session: Session, recipe: int, after_id: int, last_id: int, limit: int) -> list[StoredHash]:
        """Return up to `limit` hashes of a recipe with after_id < id ≤ last_id, in the order of their ids."""
        row_id = self._column("id")
        query = (
            sqlalchemy.select(row_id, self._column("pdq"), self._column("quality"))
            .where(self._column("recipe") == recipe, row_id > after_id, row_id <= last_id)
            .order_by(row_id)
            .limit(limit)
        )
        return [StoredHash(*facts) for facts in session.execute(query)]

    def find_by_pixels(self, session: Session, recipe: int, pixels_sha256: str) -> list[str]:
        """Return the digests of the bytes that decode to these pixels."""
        same = self._column("pixels_sha256") == pixels_sha256
        return list(
            session.scalars(sqlalchemy.select(self._column(self.named_by)).where(same, self._column("recipe") == recipe))
        )

    def load_digests(self, session: Session, row_ids: Sequence[int]) -> dict[int, str]:
        """Return the digests of the bytes by the ids of their rows."""
        digests: dict[int, str] = {}
        for chunk in in_chunks(row_ids):
            row_id = self._column("id")
            query = sqlalchemy.select(row_id, self._column(self.named_by)).where(row_id.in_(chunk))
            digests |= dict(session.execute(query).all())
        return digests

    def save(self, session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep rows; one that is there already, by another process say, stays.

        On PostgreSQL this is to be the last thing of its transaction: others that write to the table wait for its end.
        """
        self.order_commits(session)
        insert_missing(session, self.model, sorted(rows, key=lambda row: str(row[self.named_by])))

    def order_commits(self, session: Session) -> None:
        """Wait until whoever writes to the table has committed.

        SQLite has one writer at a time; on PostgreSQL a row with a lower id could otherwise become visible later.
        """
        if session.get_bind().dialect.name == "postgresql":
            session.execute(sqlalchemy.select(func.pg_advisory_xact_lock(int.from_bytes(self.lock))))

    def _column(self, name: str) -> ColumnElement[Any]:
        return table_of(self.model).c[name]
