"""Slices: drawn again by their seed, nested, and free of duplicates across slice and control."""

import pytest

from services.audit.training_sets.slices import draw_slice
from shared.errors import InputError, NotFoundError
from shared.records.items import Item, load_dataset_items
from shared.workspace import Workspace
from tests.support.factories import png, register


@pytest.fixture
def items(workspace: Workspace) -> list[Item]:
    """Six items of five distinct pictures."""
    for number in range(6):
        register(workspace, f"{number}.png", png(number % 5))
    with workspace.reading() as session:
        [dataset] = {item.dataset for item in load_dataset_items(session, "works")}
        assert dataset == "works"
        return list(load_dataset_items(session, "works"))


def test_slices_of_one_seed_are_nested_and_leave_the_rest(workspace: Workspace, items: list[Item]) -> None:
    with workspace.reading() as session:
        small, large = (draw_slice(session, "works", size, 3) for size in (2, 4))
        assert draw_slice(session, "works", 4, 3) == large
    assert large.training[:2] == small.training
    assert len(small.held_out) == 3
    assert not set(large.training) & set(large.held_out)


def test_a_duplicate_is_in_no_slice(workspace: Workspace, items: list[Item]) -> None:
    with workspace.reading() as session:
        drawn = draw_slice(session, "works", 5, 0)
    assert set(drawn.training) == {item.id for item in items[:5]}
    assert drawn.held_out == ()


def test_more_than_there_is_and_an_unknown_data_set_are_refused(workspace: Workspace, items: list[Item]) -> None:
    with workspace.reading() as session:
        with pytest.raises(InputError, match=r"1\.\.5"):
            draw_slice(session, "works", 6, 0)
        with pytest.raises(NotFoundError):
            draw_slice(session, "nothing", 1, 0)
