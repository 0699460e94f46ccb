"""Owners of any number of items: more than a statement has parameters."""

from shared.records.item_owners import load_owners
from shared.workspace import Workspace
from tests.support.factories import png, register


def test_owners_of_many_items_are_loaded(any_workspace: Workspace) -> None:
    first, second = (register(any_workspace, f"{number}.png", png(number)).id for number in range(2))
    unknown = [f"{number:036}" for number in range(70_000)]
    with any_workspace.reading() as session:
        owners = load_owners(session, [first, *unknown, second])
    assert len(owners) == 70_002
    assert [party.name for item_id in (first, second) for _, party in owners[item_id]] == ["Olga Owner", "Olga Owner"]
    assert not any(owners[item_id] for item_id in unknown)
