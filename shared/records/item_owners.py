"""Presumed owners of items.

Two items may share a blob and name different owners: then the ownership is contested.
"""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from shared.ledger.body_fields import EMBEDDED_BASIS
from shared.records.bulk_insert import in_chunks
from shared.records.items import Item, ItemOwner
from shared.records.parties import Party


def load_owners(session: Session, item_ids: Sequence[str]) -> dict[str, list[tuple[ItemOwner, Party]]]:
    """Return the presumed owners of items, in the order they were given, by item id."""
    query = (
        select(ItemOwner, Party)
        .join(Party, col(Party.id) == col(ItemOwner.party_id))
        .order_by(col(ItemOwner.item_id), col(ItemOwner.position))
    )
    owners: dict[str, list[tuple[ItemOwner, Party]]] = {item_id: [] for item_id in item_ids}
    for chunk in in_chunks(list(owners)):
        for owner, party in session.exec(query.where(col(ItemOwner.item_id).in_(chunk))):
            owners[owner.item_id].append((owner, party))
    return owners


def is_contested(session: Session, blob_sha256: str) -> bool:
    """Say whether the active items that share a blob name different owners; see `find_contested`."""
    return bool(find_contested(session, [blob_sha256]))


def find_contested(session: Session, digests: Sequence[str]) -> set[str]:
    """Return those of these blobs whose active items name different owners.

    Whom a blob's own metadata names does not count: it says the same for each of them.
    """
    parties_of: dict[str, dict[str, set[str]]] = {}
    for chunk in in_chunks(sorted(set(digests))):
        query = (
            select(Item.blob_sha256, ItemOwner.item_id, ItemOwner.party_id)
            .join(Item, col(Item.id) == col(ItemOwner.item_id))
            .where(col(Item.blob_sha256).in_(chunk), Item.state == "active", ItemOwner.basis != EMBEDDED_BASIS)
        )
        for digest, item_id, party_id in session.exec(query):
            parties_of.setdefault(digest, {}).setdefault(item_id, set()).add(party_id)
    return {digest for digest, items in parties_of.items() if len({frozenset(parties) for parties in items.values()}) > 1}
