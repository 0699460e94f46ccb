"""Items as the gate shows them: what is on record at this moment, without their bytes."""

from collections.abc import Iterable, Sequence

from sqlmodel import Session

from services.output_gate.results.schemas import ClusterOwner, MatchedItem, MatchedOwner
from shared.records.cluster_owners import Cluster, ClusterParty, find_cluster_owners
from shared.records.item_owners import is_contested, load_owners
from shared.records.items import Item, ItemOwner, load_items
from shared.records.parties import Party, load_parties


def describe_items(session: Session, item_ids: Iterable[str]) -> dict[str, MatchedItem]:
    """Describe items, by id: what the gate holds ready of them may have been amended or withdrawn since.

    Raises:
        NotFoundError: one of them is not there.
    """
    items = load_items(session, item_ids)
    owners = load_owners(session, list(items))
    return {item.id: _matched_item(session, item, owners[item.id]) for item in items.values()}


def describe_cluster_owners(session: Session, clusters: Sequence[Cluster]) -> list[list[ClusterOwner]]:
    """Describe whom the items of each match's duplicate cluster name; nobody where a match has no duplicates."""
    cluster_owners = find_cluster_owners(session, clusters)
    parties = load_parties(session, {owner.party_id for owners in cluster_owners for owner in owners})
    return [[_build_cluster_owner(owner, parties[owner.party_id]) for owner in owners] for owners in cluster_owners]


def _build_cluster_owner(owner: ClusterParty, party: Party) -> ClusterOwner:
    return ClusterOwner(
        party_id=party.id, name=party.name, url=party.url or None, items=len(owner.items), contests=owner.contests
    )


def _matched_item(session: Session, item: Item, named: Sequence[tuple[ItemOwner, Party]]) -> MatchedItem:
    owners = [
        MatchedOwner(
            party_id=party.id,
            name=party.name,
            url=party.url or None,
            role=owner.role,
            basis=owner.basis,
            confidence=owner.confidence,
        )
        for owner, party in named
    ]
    return MatchedItem(
        id=item.id,
        dataset=item.dataset,
        source_key=item.source_key,
        sha256=item.blob_sha256,
        title=item.title,
        licence=item.licence,
        licence_url=item.licence_url,
        source_url=item.source_url,
        state=item.state,
        contested=is_contested(session, item.blob_sha256),
        owners=owners,
    )
