"""Manifests: sealed sets of items. What a model is trained on, and what a control is drawn from.

Rules, in order:

1. The items stand in the order of their ids. A leaf is the canonical JSON of `{"blob", "entry", "item"}`: the item's id,
   its bytes' digest, and the leaf hash of its registration in the log. The root is the RFC 6962 tree head over the leaves.
2. Sealing a name again with the same items gives the same manifest; with other items it is a conflict.
3. Only active items can be sealed.

So the root ties a model to the exact bytes and to the exact registrations, and both can be proved.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, DateTime
from sqlmodel import Field, Session, SQLModel, col, select

from shared.canonical import canonical_json
from shared.clock import timestamp, utc_now
from shared.errors import ConflictError, InputError, NotFoundError
from shared.ids import new_id
from shared.ledger.entries import Entry
from shared.ledger.log import Log
from shared.ledger.merkle import leaf_hash, root_of
from shared.ledger.tables import LogEntry
from shared.names import check_name
from shared.records.items import Item

Purpose = Literal["train", "control"]


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


def build_root(members: Sequence[tuple[Item, bytes]]) -> str:
    """Compute a manifest's root.

    Args:
        members: items in the order of their ids, each with the leaf hash of its registration entry.

    Returns:
        The Merkle tree head, hexadecimal.
    """
    leaves = [canonical_json({"blob": item.blob_sha256, "entry": entry.hex(), "item": item.id}) for item, entry in members]
    return root_of([leaf_hash(leaf) for leaf in leaves]).hex()


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
        InputError: no item, an item twice, or an item that is unknown or no longer active.
        ConflictError: the name is taken by another set.
    """
    check_name(name)
    members = _load_members(session, item_ids)
    root = build_root(members)
    found = find_manifest(session, name)
    if found is not None:
        if (found.root, found.purpose) != (root, purpose):
            raise ConflictError(
                f"manifest {name!r} is sealed with root {found.root} for {found.purpose}; got root {root} for {purpose}",
                code="manifest_sealed",
            )
        return found
    return _add_manifest(session, name, purpose, root, [item for item, _ in members])


def _load_members(session: Session, item_ids: Sequence[str]) -> list[tuple[Item, bytes]]:
    if not item_ids:
        raise InputError("a manifest needs at least one item, got none", code="manifest_empty")
    if len(set(item_ids)) != len(item_ids):
        raise InputError(f"expected each item once, got {len(item_ids) - len(set(item_ids))} repeated", code="item_repeated")
    query = (
        select(Item, LogEntry.leaf_hash)
        .join(LogEntry, col(LogEntry.id) == col(Item.entry_id))
        .where(col(Item.id).in_(item_ids), Item.state == "active")
        .order_by(col(Item.id))
    )
    members = [(item, entry) for item, entry in session.exec(query)]
    if len(members) != len(item_ids):
        missing = sorted(set(item_ids) - {item.id for item, _ in members})
        raise InputError(f"{len(missing)} items are unknown or withdrawn, first {missing[0]!r}", code="item_not_active")
    return members


def _add_manifest(session: Session, name: str, purpose: Purpose, root: str, items: Sequence[Item]) -> Manifest:
    manifest_id, now = new_id(), utc_now()
    entry = Entry(
        type="dataset.sealed",
        at=timestamp(now),
        subject={"manifest": manifest_id},
        body={"name": name, "purpose": purpose, "size": len(items), "root": root},
    )
    [entry_id] = Log.append(session, [entry])
    manifest = Manifest(
        id=manifest_id, name=name, purpose=purpose, size=len(items), root=root, entry_id=entry_id, created_at=now
    )
    session.add(manifest)
    session.flush()
    session.add_all(
        ManifestItem(manifest_id=manifest_id, position=position, item_id=item.id) for position, item in enumerate(items)
    )
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
    found = session.exec(query).first()
    if found is None:
        raise NotFoundError(f"no manifest {name_or_id!r}", code="manifest_not_found")
    return found


def load_manifest_items(session: Session, manifest_id: str) -> list[Item]:
    """Return the items of a manifest in its own order."""
    query = (
        select(Item)
        .join(ManifestItem, col(ManifestItem.item_id) == col(Item.id))
        .where(ManifestItem.manifest_id == manifest_id)
        .order_by(col(ManifestItem.position))
    )
    return list(session.exec(query))
