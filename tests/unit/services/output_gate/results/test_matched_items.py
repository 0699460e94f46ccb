"""Items as the gate shows them: as they are on record at this moment."""

from services.output_gate.results.matched_items import describe_cluster_owners, describe_items
from shared.records.cluster_owners import Cluster
from tests.support.factories import png, register
from tests.support.memory_gate import MemoryWorld


def test_an_item_is_described_with_its_owners_and_whether_they_are_contested(world: MemoryWorld) -> None:
    first, second = world.items[1].id, world.items[2].id
    register(world.workspace, "again.png", png(1), owners=[{"name": "Paula", "basis": "claim", "confidence": 0.5}])
    with world.workspace.reading() as session:
        items = describe_items(session, [first, second])
    assert [(items[item_id].contested, items[item_id].owners[0].name) for item_id in (first, second)] == [
        (True, "Olga Owner"),
        (False, "Olga Owner"),
    ]


def test_owners_of_near_duplicates_contest_the_match(world: MemoryWorld) -> None:
    other = register(world.workspace, "near.png", png(77), owners=[{"name": "Paula", "basis": "claim", "confidence": 0.5}])
    match = world.items[1].id
    with world.workspace.reading() as session:
        owners, nobody = describe_cluster_owners(session, [Cluster(match, (match, other.id)), Cluster(match, ())])
    assert [(owner.name, owner.items, owner.contests) for owner in owners] == [("Olga Owner", 1, False), ("Paula", 1, True)]
    assert nobody == []
