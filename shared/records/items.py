"""Items: one training image as acquired from one source, with its blob, owners, diligence and commitments.

Rules, in order:

1. (dataset, source_key) names an item for ever; the same key with other bytes or another record is a conflict.
2. Two items may share a blob and name different owners: then the ownership is contested.
3. `record_sha256` is the digest of everything registered, so that a repeated registration is recognised as the same.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, LargeBinary, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, func, select

from shared.clock import utc_now
from shared.errors import NotFoundError
from shared.ids import new_id
from shared.records.parties import Party


class Blob(SQLModel, table=True):
    """Facts of the encoded bytes; the bytes themselves are in the blob store."""

    __tablename__ = "blob"

    sha256: str = Field(primary_key=True, max_length=64)
    media_type: str
    size_bytes: int
    width_px: int
    height_px: int


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
    extra: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    state: str = "active"
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
    """One logged search for the owner of an item."""

    __tablename__ = "diligence"

    item_id: str = Field(foreign_key="item.id", primary_key=True, max_length=36)
    position: int = Field(primary_key=True)
    source: str
    query: str | None = None
    searched_at: datetime = Field(sa_type=DateTime(timezone=True))
    jurisdiction: str | None = None
    result: str
    expires_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class Commitment(SQLModel, table=True):
    """The opening of a commitment in a log entry: kept with the value, deleted to erase it."""

    __tablename__ = "commitment"

    entry_id: int = Field(foreign_key="log_entry.id", primary_key=True, sa_type=BigInteger)
    field: str = Field(primary_key=True)
    salt: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    value: str


def load_item(session: Session, item_id: str) -> Item:
    """Return an item.

    Raises:
        NotFoundError: no item has this id.
    """
    item = session.get(Item, item_id)
    if item is None:
        raise NotFoundError(f"no item {item_id!r}", code="item_not_found")
    return item


def find_item(session: Session, dataset: str, source_key: str) -> Item | None:
    """Return the item registered under this key in this dataset, if there is one."""
    return session.exec(select(Item).where(Item.dataset == dataset, Item.source_key == source_key)).first()


def load_dataset_items(session: Session, dataset: str) -> list[Item]:
    """Return the active items of a dataset in the order of their keys."""
    query = select(Item).where(Item.dataset == dataset, Item.state == "active").order_by(Item.source_key)
    return list(session.exec(query))


def load_owners(session: Session, item_ids: Sequence[str]) -> dict[str, list[tuple[ItemOwner, Party]]]:
    """Return the presumed owners of items, in the order they were given, by item id."""
    query = (
        select(ItemOwner, Party)
        .join(Party, col(Party.id) == col(ItemOwner.party_id))
        .where(col(ItemOwner.item_id).in_(item_ids))
        .order_by(col(ItemOwner.item_id), col(ItemOwner.position))
    )
    owners: dict[str, list[tuple[ItemOwner, Party]]] = {item_id: [] for item_id in item_ids}
    for owner, party in session.exec(query):
        owners[owner.item_id].append((owner, party))
    return owners


def is_contested(session: Session, blob_sha256: str) -> bool:
    """Say whether the active items that share a blob name different owners."""
    query = (
        select(ItemOwner.item_id, ItemOwner.party_id)
        .join(Item, col(Item.id) == col(ItemOwner.item_id))
        .where(Item.blob_sha256 == blob_sha256, Item.state == "active")
    )
    named: dict[str, set[str]] = {}
    for item_id, party_id in session.exec(query):
        named.setdefault(item_id, set()).add(party_id)
    return len({frozenset(parties) for parties in named.values()}) > 1


def count_items(session: Session) -> int:
    """Return how many active items are registered."""
    return session.exec(select(func.count()).select_from(Item).where(Item.state == "active")).one()
