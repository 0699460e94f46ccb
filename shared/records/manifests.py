"""Manifests: sealed sets of items. A model is trained on one, and a control is drawn from one.

Rules, in order:

1. The items are sorted by the digests of their bytes, then by id. So leaves can prove that a digest is in a manifest, and that
   it is not. A leaf is the canonical JSON of `{"blob", "entry", "item"}`: the digest of the item's bytes, the leaf hash of its
   registration in the log, and its id. The root is the RFC 6962 tree head over the leaves.
2. Sealing a name again with the same items gives the same manifest. With other items it is a conflict.
3. Only active items can be sealed, and none that a rights signal denies unless an agreement permits training on it.

So the root ties a model to the exact bytes and to the exact registrations, and both can be proved.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, ColumnElement, DateTime, distinct, func
from sqlmodel import Field, Session, SQLModel, col, select

from shared.clock import utc_now
from shared.errors import ConflictError, InputError, NotFoundError
from shared.ids import new_id
from shared.ledger.bodies import DatasetSealed
from shared.ledger.entries import build_entry
from shared.ledger.manifest_leaves import Leaf
from shared.ledger.merkle import root_of
from shared.ledger.tables import LogEntry
from shared.records.entry_rows import append_and_add
from shared.records.items import Blob, Item, may_train
from shared.schemas import check_name

Purpose = Literal["train", "control"]

# Ids in one query: SQLite takes 32,766 parameters, PostgreSQL's protocol 65,535.
QUERY_IDS = 10_000


class Manifest(SQLModel, table=True):
    """A sealed set of items."""

    __tablename__ = "manifest"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    name: str = Field(unique=True)
    purpose: str
    size: int
    root: str = Field(max_length=64)
    entry_id: int = Field(foreign_key="log_entry.id", unique=True, sa_type=BigInteger)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


class ManifestItem(SQLModel, table=True):
    """Membership: which item stands at which position."""

    __tablename__ = "manifest_item"

    manifest_id: str = Field(foreign_key="manifest.id", primary_key=True, max_length=36)
    position: int = Field(primary_key=True)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=36)


def build_root(leaves: Sequence[Leaf]) -> str:
    """Compute a manifest's root, hexadecimal, from its leaves in the manifest's order.

    >>> build_root([Leaf("00", "11", "a")]) == Leaf("00", "11", "a").hash().hex()
    True
    """
    return root_of(leaf.hash() for leaf in leaves).hex()


def count_shared_images(session: Session, manifest_id: str, other_id: str) -> int:
    """Return how many images, by their bytes, are in both of two manifests."""
    joined = select(Item.blob_sha256).join(ManifestItem, col(ManifestItem.item_id) == col(Item.id))
    blobs_of_each = [joined.where(ManifestItem.manifest_id == member_id) for member_id in (manifest_id, other_id)]
    in_both = (col(Item.blob_sha256).in_(blobs) for blobs in blobs_of_each)
    shared = select(func.count(distinct(col(Item.blob_sha256)))).where(*in_both)
    return int(session.exec(shared).one())


def seal_manifest(session: Session, name: str, purpose: Purpose, item_ids: Sequence[str]) -> Manifest:
    """Seal a set of items under a name, with its log entry, in the caller's transaction.

    Args:
        session: an open transaction; nothing is committed here.
        name: unique name of the manifest.
        purpose: `train` or `control`.
        item_ids: which items; their order does not matter.

    Returns:
        The manifest; the one sealed before, where name, purpose and items agree.

    Raises:
        InputError: no item, an item twice, or an item that is unknown, withdrawn or denied.
        ConflictError: the name is taken by another set.
    """
    check_name(name)
    leaves = _load_active_leaves(session, item_ids)
    root = build_root(leaves)
    manifest = find_manifest(session, name)
    if manifest is not None:
        if (manifest.root, manifest.purpose) != (root, purpose):
            raise ConflictError(
                f"manifest {name!r} is sealed with root {manifest.root} for {manifest.purpose}; got root {root} for {purpose}",
                code="manifest_sealed",
            )
        return manifest
    return _add_manifest(session, name, purpose, root, [leaf.item for leaf in leaves])


def _load_active_leaves(session: Session, item_ids: Sequence[str]) -> list[Leaf]:
    if not item_ids:
        raise InputError("a manifest needs at least one item, got none", code="manifest_empty")
    if len(set(item_ids)) != len(item_ids):
        raise InputError(f"expected each item once, got {len(item_ids) - len(set(item_ids))} repeated", code="item_repeated")
    leaves: list[Leaf] = []
    for start in range(0, len(item_ids), QUERY_IDS):
        some = item_ids[start : start + QUERY_IDS]
        leaves += _query_leaves(session, col(Item.id).in_(some), may_train())
    if len(leaves) != len(item_ids):
        missing = sorted(set(item_ids) - {leaf.item for leaf in leaves})
        raise InputError(
            f"{len(missing)} items are unknown, withdrawn, or denied by a rights signal; first {missing[0]!r}",
            code="item_not_active",
        )
    return sorted(leaves, key=lambda leaf: (leaf.blob, leaf.item))


def _query_leaves(session: Session, *conditions: ColumnElement[bool]) -> list[Leaf]:
    query = (
        select(Item.blob_sha256, LogEntry.leaf_hash, Item.id)
        .join(LogEntry, col(LogEntry.id) == col(Item.entry_id))
        .where(*conditions)
    )
    return [Leaf(blob, entry.hex(), item_id) for blob, entry, item_id in session.exec(query)]


def _add_manifest(session: Session, name: str, purpose: Purpose, root: str, item_ids: Sequence[str]) -> Manifest:
    manifest_id, now = new_id(), utc_now()
    body = DatasetSealed(name=name, purpose=purpose, size=len(item_ids), root=root)
    manifest = append_and_add(
        session,
        build_entry(body, at=now, subject={"manifest": manifest_id}),
        lambda entry_id: Manifest(
            id=manifest_id, name=name, purpose=purpose, size=len(item_ids), root=root, entry_id=entry_id, created_at=now
        ),
    )
    session.add_all(ManifestItem(manifest_id=manifest_id, position=at, item_id=item_id) for at, item_id in enumerate(item_ids))
    session.flush()
    return manifest


def find_manifest(session: Session, name: str) -> Manifest | None:
    """Return the manifest of this name, if there is one."""
    return session.exec(select(Manifest).where(Manifest.name == name)).first()


def load_manifest(session: Session, name_or_id: str) -> Manifest:
    """Return a manifest by name or id.

    Raises:
        NotFoundError: there is none.
    """
    query = select(Manifest).where((col(Manifest.name) == name_or_id) | (col(Manifest.id) == name_or_id))
    manifest = session.exec(query).first()
    if manifest is None:
        raise NotFoundError(f"no manifest {name_or_id!r}", code="manifest_not_found")
    return manifest


def load_manifest_items(session: Session, manifest_id: str) -> list[Item]:
    """Return the items of a manifest in its own order."""
    query = (
        select(Item)
        .join(ManifestItem, col(ManifestItem.item_id) == col(Item.id))
        .where(ManifestItem.manifest_id == manifest_id)
        .order_by(col(ManifestItem.position))
    )
    return list(session.exec(query))


def count_several_frames(session: Session, manifest_id: str) -> int:
    """Count the items of a manifest whose file holds several pictures, as far as these were counted."""
    query = (
        select(func.count())
        .select_from(ManifestItem)
        .join(Item, col(ManifestItem.item_id) == col(Item.id))
        .join(Blob, col(Item.blob_sha256) == col(Blob.sha256))
        .where(ManifestItem.manifest_id == manifest_id, col(Blob.frames) > 1)
    )
    return session.exec(query).one()


def load_leaves(session: Session, manifest_id: str, start: int = 0, limit: int | None = None) -> list[Leaf]:
    """Return the leaves of a manifest in its own order; items that were withdrawn since are still there.

    Args:
        session: an open transaction.
        manifest_id: the manifest's id.
        start: position of the first leaf wanted.
        limit: how many at most; all where it is not given.
    """
    query = (
        select(Item.blob_sha256, LogEntry.leaf_hash, Item.id)
        .join(LogEntry, col(LogEntry.id) == col(Item.entry_id))
        .join(ManifestItem, col(ManifestItem.item_id) == col(Item.id))
        .where(ManifestItem.manifest_id == manifest_id, col(ManifestItem.position) >= start)
        .order_by(col(ManifestItem.position))
        .limit(limit)
    )
    return [Leaf(blob, entry.hex(), item_id) for blob, entry, item_id in session.exec(query)]
