"""The owners whom near duplicates of a matched item name, beside those whom the item itself names.

Rules, in order:

1. A cluster is what a manifest's duplicates came to when a check was made (`shared.matching.training_set.duplicates`).
   Its active items count, the matched one always.
2. An owner contests the match where an item with other bytes names them, and no item with the match's own bytes does, in this
   manifest or anywhere. Equal bytes with different owners are another contest: `shared.records.item_owners.find_contested`.
3. An owner whom only a file's own metadata names contests nothing: nobody registered them. For the match itself they count,
   and its flag names them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import sqlalchemy
from sqlmodel import Session, col, select

from shared.ledger.body_fields import EMBEDDED_BASIS
from shared.records.bulk_insert import in_chunks, table_of
from shared.records.items import Item, ItemOwner


@dataclass(frozen=True)
class Cluster:
    """A matched item with the items of its duplicate cluster, by id; the match may be among them."""

    match: str
    items: Sequence[str]

    @property
    def has_duplicates(self) -> bool:
        """Whether there is another item than the match."""
        return any(item_id != self.match for item_id in self.items)

    @property
    def ordered(self) -> list[str]:
        """The match first."""
        return [self.match, *(item_id for item_id in self.items if item_id != self.match)]


@dataclass
class ClusterParty:
    """A party whom items of a cluster name as owner.

    Attributes:
        party_id: who.
        items: the items that name them, by id.
        contests: rule 2.
    """

    party_id: str
    items: list[str] = field(default_factory=list)
    contests: bool = False


@dataclass(frozen=True)
class _Naming:
    """That an item names an owner, and whether by more than its own metadata."""

    item_id: str
    blob_sha256: str
    party_id: str
    registered: bool


def find_cluster_owners(session: Session, clusters: Sequence[Cluster]) -> list[list[ClusterParty]]:
    """Return the owners whom clusters name.

    Args:
        session: an open transaction.
        clusters: which.

    Returns:
        Of each cluster, in their order: the match's own owners first, the others in the order of the cluster's items; nobody
        where the match has no duplicates.
    """
    with_duplicates = [cluster for cluster in clusters if cluster.has_duplicates]
    matches = {cluster.match for cluster in with_duplicates}
    namings = _load_namings(session, {item_id for cluster in with_duplicates for item_id in cluster.ordered}, matches)
    blobs = _load_blobs(session, matches)
    parties_of_blobs = _load_parties_of_blobs(session, {*blobs.values()})
    owners: list[list[ClusterParty]] = []
    for cluster in clusters:
        if not cluster.has_duplicates:
            owners.append([])
            continue
        blob = blobs[cluster.match]
        uncontested = parties_of_blobs.get(blob, set()) | {naming.party_id for naming in namings.get(cluster.match, ())}
        in_order = [naming for item_id in cluster.ordered for naming in namings.get(item_id, ())]
        owners.append(_gather_owners(in_order, blob, uncontested))
    return owners


def _gather_owners(namings: Sequence[_Naming], match_blob: str, uncontested: Collection[str]) -> list[ClusterParty]:
    """Gather by party what items of a cluster name, in the order of the items.

    Args:
        namings: of the cluster's items, the match's first.
        match_blob: digest of the match's bytes.
        uncontested: parties that items of these bytes name: rule 2.
    """
    owners: dict[str, ClusterParty] = {}
    for naming in namings:
        owner = owners.setdefault(naming.party_id, ClusterParty(naming.party_id))
        if naming.item_id not in owner.items:
            owner.items.append(naming.item_id)
        if naming.registered and naming.blob_sha256 != match_blob and naming.party_id not in uncontested:
            owner.contests = True
    return list(owners.values())


def are_contested_clusters(session: Session, clusters: Sequence[Cluster]) -> list[bool]:
    """Say of each cluster whether near duplicates of its match name owners that contest it."""
    return [any(owner.contests for owner in owners) for owners in find_cluster_owners(session, clusters)]


def _load_namings(session: Session, item_ids: Collection[str], matches: Collection[str]) -> dict[str, list[_Naming]]:
    """Return what active items, and the matches whatever their state, name, by item id."""
    item, owner = table_of(Item).c, table_of(ItemOwner).c
    columns = (item.id, item.blob_sha256, item.state, owner.party_id, owner.basis)
    query = sqlalchemy.select(*columns).join_from(table_of(Item), table_of(ItemOwner), owner.item_id == item.id)
    namings: dict[str, list[_Naming]] = {}
    for chunk in in_chunks(sorted(item_ids)):
        for row in session.execute(query.where(item.id.in_(chunk)).order_by(item.id, owner.position)):
            if row.state == "active" or row.id in matches:
                naming = _Naming(row.id, row.blob_sha256, row.party_id, row.basis != EMBEDDED_BASIS)
                namings.setdefault(row.id, []).append(naming)
    return namings


def _load_blobs(session: Session, item_ids: Collection[str]) -> dict[str, str]:
    chunks = in_chunks(sorted(item_ids))
    return {
        item_id: blob
        for chunk in chunks
        for item_id, blob in session.exec(select(Item.id, Item.blob_sha256).where(col(Item.id).in_(chunk)))
    }


def _load_parties_of_blobs(session: Session, digests: Collection[str]) -> dict[str, set[str]]:
    """Return whom active items of these bytes name, wherever they are registered."""
    parties: dict[str, set[str]] = {}
    for chunk in in_chunks(sorted(digests)):
        query = (
            select(Item.blob_sha256, ItemOwner.party_id)
            .join(ItemOwner, col(ItemOwner.item_id) == col(Item.id))
            .where(col(Item.blob_sha256).in_(chunk), Item.state == "active")
        )
        for digest, party_id in session.exec(query):
            parties.setdefault(digest, set()).add(party_id)
    return parties
