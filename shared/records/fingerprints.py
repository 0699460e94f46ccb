"""Fingerprints: what a blob looks like, in digests; a projection of the blobs, by which search by image finds them.

Rules, in order:

1. A fingerprint belongs to a blob and a recipe; another recipe makes another row and changes none.
2. A blob whose bytes cannot be read or decoded has a row too, with the reason and without digests.
3. Ids grow in the order of commits and are never used twice: who has read up to an id reads on from there.
4. Everything here can be deleted and made again from the blobs.

Nothing here commits: the caller owns the transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, delete, func, select

from shared.records.insertion import in_chunks, insert_missing, table_of
from shared.records.items import Blob, Item

# SQLite makes row ids for a column declared INTEGER only.
_ROW_ID = BigInteger().with_variant(Integer, "sqlite")

# "sleeve-f" in ASCII: PostgreSQL's key of the lock that makes ids grow in the order of commits.
_WRITE_LOCK_KEY = int.from_bytes(b"sleeve-f")


class Fingerprint(SQLModel, table=True):
    """What one recipe made of one blob: digest of the pixels, PDQ hash and its quality, or why there is none."""

    __tablename__ = "fingerprint"
    __table_args__ = (
        UniqueConstraint("blob_sha256", "recipe"),
        Index("ix_fingerprint_recipe_id", "recipe", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(_ROW_ID, primary_key=True))
    blob_sha256: str = Field(foreign_key="blob.sha256", max_length=64)
    recipe: int
    pixels_sha256: str | None = Field(default=None, max_length=64, index=True)
    pdq: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    quality: int | None = None
    # Code of the error that reading or decoding ended in.
    failure: str | None = None


@dataclass(frozen=True)
class StoredHash:
    """A fingerprint's PDQ hash; None where the blob could not be decoded."""

    id: int
    pdq: bytes | None
    quality: int | None


@dataclass(frozen=True)
class Extent:
    """How many fingerprints of a recipe there are, and the highest id among them; 0 where there is none."""

    count: int
    last_id: int


def measure_extent(session: Session, recipe: int) -> Extent:
    """Return count and highest id of a recipe's fingerprints, of one moment."""
    query = select(func.count(), func.max(Fingerprint.id)).where(Fingerprint.recipe == recipe)
    count, last_id = session.exec(query).one()
    return Extent(count, last_id or 0)


def load_hashes(session: Session, recipe: int, after_id: int, last_id: int, limit: int) -> list[StoredHash]:
    """Return up to `limit` hashes of a recipe with after_id < id ≤ last_id, in the order of their ids."""
    row = table_of(Fingerprint).c
    query = (
        sqlalchemy.select(row.id, row.pdq, row.quality)
        .where(row.recipe == recipe, row.id > after_id, row.id <= last_id)
        .order_by(row.id)
        .limit(limit)
    )
    return [StoredHash(*facts) for facts in session.execute(query)]


def load_pending_blobs(session: Session, recipe: int, after: str, up_to: str, limit: int) -> list[str]:
    """Return up to `limit` digests of blobs without a fingerprint of a recipe, after < digest ≤ up_to, in their order."""
    made = (col(Fingerprint.blob_sha256) == col(Blob.sha256)) & (col(Fingerprint.recipe) == recipe)
    query = (
        select(Blob.sha256)
        .outerjoin(Fingerprint, made)
        .where(col(Blob.sha256) > after, col(Blob.sha256) <= up_to, col(Fingerprint.id).is_(None))
        .order_by(col(Blob.sha256))
        .limit(limit)
    )
    return list(session.exec(query))


def count_blobs(session: Session) -> int:
    """Return how many blobs are registered."""
    return session.exec(select(func.count()).select_from(Blob)).one()


def save_fingerprints(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep fingerprints; one that is there already, by another process say, stays."""
    _order_commits(session)
    insert_missing(session, Fingerprint, sorted(rows, key=lambda row: str(row["blob_sha256"])))


def delete_fingerprints(session: Session, *, only_failed: bool = False) -> None:
    """Delete fingerprints of every recipe, or those of blobs that could not be read or decoded, to be made again."""
    _order_commits(session)
    everything = delete(Fingerprint)
    session.execute(everything.where(col(Fingerprint.failure).is_not(None)) if only_failed else everything)


def _order_commits(session: Session) -> None:
    # SQLite has one writer at a time; on PostgreSQL a row with a lower id could otherwise become visible later.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sqlalchemy.select(func.pg_advisory_xact_lock(_WRITE_LOCK_KEY)))


def load_failed_blobs(session: Session, recipe: int) -> list[tuple[str, str]]:
    """Return digest and error code of the blobs that a recipe could not be applied to, in the order of their digests."""
    query = (
        select(Fingerprint.blob_sha256, Fingerprint.failure)
        .where(Fingerprint.recipe == recipe, col(Fingerprint.failure).is_not(None))
        .order_by(col(Fingerprint.blob_sha256))
    )
    return [(digest, failure or "") for digest, failure in session.exec(query)]


def find_blobs_of_pixels(session: Session, recipe: int, pixels_sha256: str) -> list[str]:
    """Return the digests of the blobs that decode to these pixels."""
    query = select(Fingerprint.blob_sha256).where(Fingerprint.pixels_sha256 == pixels_sha256, Fingerprint.recipe == recipe)
    return list(session.exec(query))


def load_blobs_of(session: Session, fingerprint_ids: Sequence[int]) -> dict[int, str]:
    """Return the blobs' digests by the ids of their fingerprints."""
    found: dict[int, str] = {}
    for chunk in in_chunks(fingerprint_ids):
        query = select(Fingerprint.id, Fingerprint.blob_sha256).where(col(Fingerprint.id).in_(chunk))
        found |= {row_id: digest for row_id, digest in session.exec(query) if row_id is not None}
    return found


def load_items_of(session: Session, blobs: Sequence[str]) -> list[tuple[str, str]]:
    """Return id and blob of every item that holds one of these blobs, in the order of their ids."""
    found: list[tuple[str, str]] = []
    for chunk in in_chunks(blobs):
        query = select(Item.id, Item.blob_sha256).where(col(Item.blob_sha256).in_(chunk))
        found.extend(session.exec(query))
    return sorted(found)
