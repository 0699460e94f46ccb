"""Fingerprints: digests of what a blob looks like, by which search by image finds it.

Rules, in order:

1. A fingerprint belongs to a blob and a recipe. Another recipe makes another row and changes none.
2. A blob whose bytes cannot be read or decoded has a row too, with the reason and without digests.
3. Everything here can be deleted and made again from the blobs.

Nothing here commits: the caller owns the transaction.
"""

from collections.abc import Sequence

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, delete, func, select

from shared.records.bulk_insert import in_chunks
from shared.records.hash_rows import ROW_ID, HashTable
from shared.records.items import Blob, Item


class Fingerprint(SQLModel, table=True):
    """What one recipe made of one blob: digest of the pixels, PDQ hash and its quality, or why there is none."""

    __tablename__ = "fingerprint"
    __table_args__ = (
        UniqueConstraint("blob_sha256", "recipe"),
        Index("ix_fingerprint_recipe_id", "recipe", "id"),
        {"sqlite_autoincrement": True},
    )

    id: int | None = Field(default=None, sa_column=Column(ROW_ID, primary_key=True))
    blob_sha256: str = Field(foreign_key="blob.sha256", max_length=64)
    recipe: int
    pixels_sha256: str | None = Field(default=None, max_length=64, index=True)
    pdq: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    quality: int | None = None
    # Code of the error that reading or decoding ended in.
    failure: str | None = None


FINGERPRINTS = HashTable(Fingerprint, "blob_sha256", b"sleeve-f")


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


def delete_fingerprints(session: Session, *, only_failed: bool = False) -> None:
    """Delete fingerprints of every recipe, or those of blobs that could not be read or decoded, to be made again."""
    FINGERPRINTS.order_commits(session)
    everything = delete(Fingerprint)
    session.execute(everything.where(col(Fingerprint.failure).is_not(None)) if only_failed else everything)


def load_failed_blobs(session: Session, recipe: int) -> list[tuple[str, str]]:
    """Return digest and error code of the blobs that a recipe could not be applied to, in the order of their digests."""
    query = (
        select(Fingerprint.blob_sha256, Fingerprint.failure)
        .where(Fingerprint.recipe == recipe, col(Fingerprint.failure).is_not(None))
        .order_by(col(Fingerprint.blob_sha256))
    )
    return [(digest, failure or "") for digest, failure in session.exec(query)]


def load_items_of(session: Session, blobs: Sequence[str]) -> list[tuple[str, str]]:
    """Return id and blob of every item that holds one of these blobs, in the order of their ids."""
    rows: list[tuple[str, str]] = []
    for chunk in in_chunks(blobs):
        query = select(Item.id, Item.blob_sha256).where(col(Item.blob_sha256).in_(chunk))
        rows.extend(session.exec(query))
    return sorted(rows)
