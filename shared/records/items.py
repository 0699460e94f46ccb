"""Items: one training image as acquired from one source, with its blob, owners and searches for an owner.

Rules, in order:

1. (dataset, source_key) names an item for ever. The same key with other bytes or another record is a conflict.
2. `record_sha256` is the digest of everything registered, so that a repeated registration is recognised as the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import JSON, BigInteger, Column, ColumnElement, DateTime, UniqueConstraint
from sqlalchemy.orm import aliased
from sqlmodel import Field, Session, SQLModel, col, func, select

from shared.clock import utc_now
from shared.errors import NotFoundError
from shared.ids import new_id
from shared.records.bulk_insert import in_chunks, table_of


class Blob(SQLModel, table=True):
    """Facts of the encoded bytes; the bytes themselves are in the blob store."""

    __tablename__ = "blob"

    sha256: str = Field(primary_key=True, max_length=64)
    media_type: str
    size_bytes: int
    width_px: int
    height_px: int
    # How many pictures the file holds, where more than one; null also where nobody counted.
    frames: int | None = None


class Item(SQLModel, table=True):
    """The record of one training image."""

    __tablename__ = "item"
    __table_args__ = (UniqueConstraint("dataset", "source_key"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    dataset: str = Field(index=True)
    source_key: str
    blob_sha256: str = Field(foreign_key="blob.sha256", index=True)
    record_sha256: str = Field(max_length=64)
    title: str | None = None
    licence: str
    licence_url: str | None = None
    source_url: str | None = None
    acquired_from: str | None = None
    acquired_at: datetime = Field(sa_type=DateTime(timezone=True))
    acquirer_id: str = Field(foreign_key="party.id")
    archival_snapshot_url: str | None = None
    archival_version_date: str | None = None
    archival_state: str | None = None
    archival_checked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    capture_tried_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    extra: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    state: str = "active"
    # What the signals seen at acquisition say of training, all together: allow | deny | unknown.
    rights_verdict: str = "unknown"
    # The agreement that permits training although a signal denies it.
    training_permission: str | None = None
    entry_id: int = Field(foreign_key="log_entry.id", unique=True, sa_type=BigInteger)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


class ItemOwner(SQLModel, table=True):
    """A presumed owner of an item: who, in which role, on what basis, how sure (0..1)."""

    __tablename__ = "item_owner"

    item_id: str = Field(foreign_key="item.id", primary_key=True, max_length=36)
    position: int = Field(primary_key=True)
    party_id: str = Field(foreign_key="party.id", index=True)
    role: str
    basis: str
    confidence: float


class Diligence(SQLModel, table=True):
    """One logged search for the owner of an item: stated in its registration, or made later and an entry of its own."""

    __tablename__ = "diligence"

    item_id: str = Field(foreign_key="item.id", primary_key=True, max_length=36)
    position: int = Field(primary_key=True)
    sources: list[str] = Field(sa_column=Column(JSON, nullable=False))
    query: str | None = None
    searched_at: datetime = Field(sa_type=DateTime(timezone=True))
    jurisdiction: str | None = None
    result: str
    expires_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    # What follows is of later searches only; one search may be of many items.
    search_id: str | None = Field(default=None, index=True, max_length=36)
    work_category: str | None = None
    searched_by_id: str | None = Field(default=None, foreign_key="party.id", max_length=36)
    note: str | None = None
    entry_id: int | None = Field(default=None, foreign_key="log_entry.id", unique=True, sa_type=BigInteger)


class SignalRecord(SQLModel, table=True):
    """One rights signal seen at an item's acquisition; its `signal.observed` entry is in the log."""

    __tablename__ = "signal"

    entry_id: int = Field(foreign_key="log_entry.id", primary_key=True, sa_type=BigInteger)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=36)
    kind: str
    verdict: str
    raw_sha256: str = Field(max_length=64)
    detail: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    observed_at: datetime = Field(sa_type=DateTime(timezone=True))


class ItemEntry(SQLModel, table=True):
    """An entry of the log about an item after its registration, in the order they were made."""

    __tablename__ = "item_entry"

    entry_id: int = Field(foreign_key="log_entry.id", primary_key=True, sa_type=BigInteger)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=36)


def load_item(session: Session, item_id: str) -> Item:
    """Return an item.

    Raises:
        NotFoundError: no item has this id.
    """
    item = session.get(Item, item_id)
    if item is None:
        raise NotFoundError(f"no item {item_id!r}", code="item_not_found")
    return item


def load_items(session: Session, item_ids: Iterable[str]) -> dict[str, Item]:
    """Return items by id.

    Raises:
        NotFoundError: one of them is not there.
    """
    ids = set(item_ids)
    items = find_items(session, ids)
    if missing := ids - set(items):
        raise NotFoundError(f"no item {min(missing)!r}", code="item_not_found")
    return items


def find_items(session: Session, item_ids: Iterable[str]) -> dict[str, Item]:
    """Return those of these items that are registered, by id."""
    chunks = in_chunks(sorted(set(item_ids)))
    return {item.id: item for chunk in chunks for item in session.exec(select(Item).where(col(Item.id).in_(chunk)))}


def lock_item(session: Session, item_id: str) -> Item:
    """Return an item as it is now and keep others from changing it until the transaction ends.

    SQLite's writers queue as whole transactions; PostgreSQL locks the row, and lets manifests go on referring to it.

    Raises:
        NotFoundError: no item has this id.
    """
    query = select(Item).where(Item.id == item_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    item = session.exec(query).first()
    if item is None:
        raise NotFoundError(f"no item {item_id!r}", code="item_not_found")
    return item


@dataclass(frozen=True)
class KnownItem:
    """What a registration is held against: an item's id, entry, and the digests of its bytes and record."""

    id: str
    entry_id: int
    blob_sha256: str
    record_sha256: str


def find_known_items(session: Session, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], KnownItem]:
    """Return the items that are registered under these (dataset, source key), by that pair."""
    by_dataset: dict[str, list[str]] = {}
    for dataset, source_key in keys:
        by_dataset.setdefault(dataset, []).append(source_key)
    item = table_of(Item).c
    query = sqlalchemy.select(item.source_key, item.id, item.entry_id, item.blob_sha256, item.record_sha256)
    known_items: dict[tuple[str, str], KnownItem] = {}
    for dataset, source_keys in by_dataset.items():
        for chunk in in_chunks(source_keys):
            rows = session.execute(query.where(item.dataset == dataset, item.source_key.in_(chunk)))
            known_items |= {(dataset, source_key): KnownItem(*facts) for source_key, *facts in rows}
    return known_items


def complete_frames(session: Session, frames: Mapping[str, int | None]) -> None:
    """Record how many frames blobs have, where that was counted and an earlier registration did not.

    Args:
        session: an open transaction.
        frames: by digest; None where there is one, or nobody counted.
    """
    for digest, count in frames.items():
        if count is not None:
            not_counted = (col(Blob.sha256) == digest) & col(Blob.frames).is_(None)
            session.execute(sqlalchemy.update(Blob).where(not_counted).values(frames=count))


def find_blobs(session: Session, digests: Sequence[str]) -> list[Blob]:
    """Return the facts of those of these blobs that an item was registered with."""
    return [blob for chunk in in_chunks(digests) for blob in session.exec(select(Blob).where(col(Blob.sha256).in_(chunk)))]


def may_train() -> ColumnElement[bool]:
    """Build the condition on items that a manifest may hold: active, and not denied unless an agreement permits it."""
    return (col(Item.state) == "active") & ((col(Item.rights_verdict) != "deny") | col(Item.training_permission).is_not(None))


def load_dataset_items(session: Session, dataset: str) -> list[Item]:
    """Return the items of a dataset that a manifest may hold, in the order of their keys."""
    query = select(Item).where(Item.dataset == dataset, may_train()).order_by(Item.source_key)
    return list(session.exec(query))


def has_dataset(session: Session, dataset: str) -> bool:
    """Say whether an item that a manifest may hold is registered in a dataset."""
    return session.exec(select(Item.id).where(Item.dataset == dataset, may_train()).limit(1)).first() is not None


def load_signals(session: Session, item_id: str) -> list[SignalRecord]:
    """Return the rights signals seen at an item's acquisition, in the order they were logged."""
    query = select(SignalRecord).where(SignalRecord.item_id == item_id).order_by(col(SignalRecord.entry_id))
    return list(session.exec(query))


def load_diligence(session: Session, item_id: str) -> list[Diligence]:
    """Return the searches for an item's owner, in the order they were recorded."""
    query = select(Diligence).where(Diligence.item_id == item_id).order_by(col(Diligence.position))
    return list(session.exec(query))


def count_shared_blobs(session: Session, dataset: str) -> int:
    """Return how many blobs of a dataset's items are named by another item too, of this dataset or another."""
    other = aliased(Item)
    query = (
        select(func.count(func.distinct(Item.blob_sha256)))
        .join(other, (col(other.blob_sha256) == col(Item.blob_sha256)) & (col(other.id) != col(Item.id)))
        .where(Item.dataset == dataset)
    )
    return session.exec(query).one()


def count_items(session: Session) -> int:
    """Return how many active items are registered."""
    return session.exec(select(func.count()).select_from(Item).where(Item.state == "active")).one()


def load_entry_ids(session: Session, item: Item) -> list[int]:
    """Return the ids of all log entries about an item, its registration first."""
    query = select(ItemEntry.entry_id).where(ItemEntry.item_id == item.id).order_by(col(ItemEntry.entry_id))
    return [item.entry_id, *session.exec(query)]


def list_items(session: Session, after: str, limit: int, *, owner_id: str | None = None, **equal: str | None) -> list[Item]:
    """Return a page of items in the order of their ids.

    Args:
        session: an open transaction.
        after: id of the last item of the page before; empty for the first page.
        limit: how many at most.
        owner_id: a party that the items name as a presumed owner; None is any.
        equal: columns and the values that they must have; None is any.
    """
    conditions: list[Any] = [col(getattr(Item, column)) == value for column, value in equal.items() if value is not None]
    if owner_id is not None:
        conditions.append(col(Item.id).in_(select(ItemOwner.item_id).where(ItemOwner.party_id == owner_id)))
    query = select(Item).where(col(Item.id) > after, *conditions).order_by(col(Item.id)).limit(limit)
    return list(session.exec(query))
