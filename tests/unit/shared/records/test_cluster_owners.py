"""Owners whom the near duplicates of a match name: in which order, with which items, and who contests the match."""

from shared.ledger.body_fields import EMBEDDED_BASIS
from shared.records.cluster_owners import Cluster, are_contested_clusters, find_cluster_owners
from shared.records.items import Item, ItemOwner
from shared.records.parties import load_parties
from shared.workspace import Workspace
from tests.support.factories import png, register


def add(workspace: Workspace, key: str, seed: int, *owners: str, basis: str | None = None, state: str = "active") -> str:
    """Register a picture with owners and return the item's id."""
    owner_fields = [{"name": name, "basis": "metadata", "confidence": 0.5} for name in owners]
    item_id = register(workspace, key, png(seed), owners=owner_fields).id
    with workspace.writing() as session:
        session.get_one(Item, item_id).state = state
        for position in range(len(owners)) if basis else ():
            session.get_one(ItemOwner, (item_id, position)).basis = basis or ""
    return item_id


def describe(workspace: Workspace, match: str, *items: str) -> list[tuple[str, list[str], bool]]:
    """Name, items and contest of each owner of one cluster."""
    with workspace.reading() as session:
        [owners] = find_cluster_owners(session, [Cluster(match, items)])
        assert are_contested_clusters(session, [Cluster(match, items)]) == [any(owner.contests for owner in owners)]
        names = load_parties(session, [owner.party_id for owner in owners])
        return [(names[owner.party_id].name, owner.items, owner.contests) for owner in owners]


def test_the_matchs_own_owners_come_first_and_others_contest(workspace: Workspace) -> None:
    match = add(workspace, "match", 1, "Ada", "Bob")
    first, second = add(workspace, "first", 2, "Cy", "Ada"), add(workspace, "second", 3, "Cy")
    assert describe(workspace, match, second, match, first) == [
        ("Ada", [match, first], False),
        ("Bob", [match], False),
        ("Cy", [second, first], True),
    ]


def test_nobody_is_named_where_the_match_has_no_duplicates(workspace: Workspace) -> None:
    match = add(workspace, "match", 1, "Ada")
    assert describe(workspace, match) == describe(workspace, match, match) == []


def test_whom_equal_bytes_name_anywhere_contests_nothing(workspace: Workspace) -> None:
    match, duplicate = add(workspace, "match", 1, "Ada"), add(workspace, "duplicate", 2, "Bob")
    assert describe(workspace, match, duplicate)[1] == ("Bob", [duplicate], True)
    add(workspace, "elsewhere", 1, "Bob")
    assert describe(workspace, match, duplicate)[1] == ("Bob", [duplicate], False)


def test_equal_bytes_in_the_cluster_are_another_contest(workspace: Workspace) -> None:
    match, copy = add(workspace, "match", 1, "Ada"), add(workspace, "copy", 1, "Bob")
    assert describe(workspace, match, copy) == [("Ada", [match], False), ("Bob", [copy], False)]


def test_whom_a_files_own_metadata_names_is_named_and_contests_nothing(workspace: Workspace) -> None:
    match, duplicate = add(workspace, "match", 1, "Ada"), add(workspace, "duplicate", 2, "Bob", basis=EMBEDDED_BASIS)
    assert describe(workspace, match, duplicate)[1] == ("Bob", [duplicate], False)


def test_withdrawn_items_count_only_where_they_are_the_match(workspace: Workspace) -> None:
    match = add(workspace, "match", 1, "Ada", state="withdrawn")
    withdrawn, active = add(workspace, "withdrawn", 2, "Bob", state="withdrawn"), add(workspace, "active", 3, "Cy")
    assert describe(workspace, match, withdrawn, active) == [("Ada", [match], False), ("Cy", [active], True)]


def test_several_clusters_are_answered_in_their_order(workspace: Workspace) -> None:
    first, second = add(workspace, "one", 1, "Ada"), add(workspace, "two", 2, "Bob")
    with workspace.reading() as session:
        clusters = [Cluster(first, [second]), Cluster(first, []), Cluster(second, [first])]
        owners = find_cluster_owners(session, clusters)
    assert [[owner.items for owner in cluster] for cluster in owners] == [[[first], [second]], [], [[second], [first]]]
