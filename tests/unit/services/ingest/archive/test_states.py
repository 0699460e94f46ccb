"""Archival links as they stand: one item's, and how many are in which state."""

import pytest

from services.ingest.archive.states import build_link_answer, count_states
from shared.errors import NotFoundError
from shared.workspace import Workspace
from tests.support.factories import png, register


def test_a_link_is_shown_as_data_and_as_html(workspace: Workspace) -> None:
    answer = build_link_answer(register(workspace, "a.png", png(1)))
    assert (answer.original_url, answer.state, answer.checked_at) == ("https://example.org/a.png", "unchecked", None)
    assert 'href="https://example.org/a.png"' in answer.html


def test_an_item_without_a_link_has_none(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1), archival_link=None)
    with pytest.raises(NotFoundError):
        build_link_answer(item)


def test_active_items_are_counted_by_state(workspace: Workspace) -> None:
    register(workspace, "a.png", png(1))
    register(workspace, "b.png", png(2), archival_link=None)
    with workspace.reading() as session:
        states = count_states(session, "works")
        assert count_states(session, "others").items == 0
    assert (states.items, states.unlinked, states.unchecked, states.verified) == (2, 1, 1, 0)
