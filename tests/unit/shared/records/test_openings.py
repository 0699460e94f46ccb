"""What opens entries: loaded for answers, found by author, and erased one value at a time without opening the rest wrongly."""

import pytest

from shared.clock import utc_now
from shared.ledger.authorship import Author, writing_for
from shared.ledger.bodies import ItemAmended, ItemWithdrawn
from shared.ledger.entries import build_entry, parse_entry
from shared.ledger.openings import verify_opening
from shared.ledger.tables import LogOpening
from shared.records.entry_rows import append_entry
from shared.records.openings import erase_hidden_values, list_entries_by, load_opened_entries, load_opening, load_openings
from shared.workspace import Workspace

AMENDED = ItemAmended(
    reason="a letter of Ada", title="Night", licence=None, licence_url=None, snapshot_url=None, version_date=None, owners=None
)


def append(workspace: Workspace, body: ItemAmended | ItemWithdrawn = AMENDED) -> int:
    with workspace.writing() as session:
        entry_id = append_entry(session, build_entry(body, at=utc_now(), subject={"item": "i1"}))
    workspace.log.integrate()
    return entry_id


def test_entries_are_opened_with_their_receipts(any_workspace: Workspace) -> None:
    ids = [append(any_workspace), append(any_workspace, ItemWithdrawn(reason="a quarrel"))]
    with any_workspace.reading() as session:
        openings = load_openings(session, ids)
    first, second = load_opened_entries(any_workspace.log, ids, openings)
    assert first.entry.typed_body(first.opening) == AMENDED
    assert second.answer_fields()["body"] == {"reason": "a quarrel"}
    assert "by" not in first.opening
    for opened in (first, second):
        verify_opening(opened.opening, opened.entry.commitments)


def test_entries_are_found_by_their_author_in_pages(any_workspace: Workspace) -> None:
    with writing_for(Author("k1", "key")):
        ids = [append(any_workspace) for _ in range(3)]
    other = append(any_workspace)
    with any_workspace.reading() as session:
        assert [entry_id for entry_id, _ in list_entries_by(session, "k1", 0, 2)] == ids[:2]
        assert [entry_id for entry_id, _ in list_entries_by(session, "k1", ids[1], 2)] == ids[2:]
        [(found, opening)] = list_entries_by(session, "operator", 0, 2)
    assert found == other
    assert {name: shown.value for name, shown in opening.items()} == {"by": {"key": None, "role": "operator"}}


@pytest.mark.parametrize("times", [1, 2])
def test_an_erased_value_is_gone_with_what_its_salt_follows_from_and_the_rest_still_opens(
    any_workspace: Workspace, times: int
) -> None:
    entry_id, untouched = append(any_workspace), append(any_workspace, ItemWithdrawn(reason="a quarrel"))
    before = any_workspace.log.entry(0)
    with any_workspace.writing() as session:
        erased = [erase_hidden_values(session, [entry_id, untouched], lambda value: "Ada" in str(value)) for _ in range(times)]
        if times == 2:
            assert erase_hidden_values(session, [entry_id], lambda value: value == "Night") == 1
    assert erased == [1, 0][:times]
    with any_workspace.reading() as session:
        row = session.get_one(LogOpening, entry_id)
        opening = load_opening(session, entry_id)
        assert session.get_one(LogOpening, untouched).seed is not None
        assert len(list_entries_by(session, "operator", 0, 10)) == 2
    assert row.seed is None
    assert "Ada" not in str(row.model_dump())
    gone = {"body.reason"} | ({"body.title"} if times == 2 else set())
    assert gone.isdisjoint({*opening, *(row.salts or {})})
    entry = parse_entry(any_workspace.log.entry(0))
    assert entry.canonical_bytes() == before
    verify_opening(opening, entry.commitments)
    assert {f"body.{name}" for name in ItemAmended.model_fields} - opening.keys() == gone
    assert entry.typed_body(opening) is None
