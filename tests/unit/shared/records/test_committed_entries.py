"""Hidden values: the log holds commitments to them, the database their openings, which verify and can be erased."""

from sqlmodel import select

from shared.clock import utc_now
from shared.ledger.bodies import ItemWithdrawn
from shared.ledger.commitments import verify_commitment
from shared.ledger.entries import parse_entry
from shared.records.committed_entries import (
    Commitment,
    CommittedEntry,
    HiddenValue,
    append_committed_entries,
    build_committed_entry,
)
from shared.records.parties import find_or_add_parties
from shared.workspace import Workspace

NAME, NOTE = "Ada Lovelace", "called twice"


def withdrawal(**values: HiddenValue) -> CommittedEntry:
    return build_committed_entry(ItemWithdrawn(reason="opted out"), at=utc_now(), subject={"item": "i1"}, values=values)


def test_the_log_holds_commitments_and_the_database_what_opens_them(any_workspace: Workspace) -> None:
    with any_workspace.writing() as session:
        party_id = find_or_add_parties(session, [(NAME, "")])[NAME, ""]
        committed = withdrawal(actor=HiddenValue(NAME, party_id), note=HiddenValue(NOTE))
        entry_ids = append_committed_entries(session, [committed, withdrawal()])
    any_workspace.log.integrate()
    [data, plain] = [any_workspace.log.entry(any_workspace.log.index_of(entry_id)) for entry_id in entry_ids]
    assert NAME.encode() not in data
    assert NOTE.encode() not in data
    assert parse_entry(plain).commitments.keys() == {"by", "body.reason"}
    with any_workspace.reading() as session:
        openings = {opening.field: opening for opening in session.exec(select(Commitment))}
    commitments = parse_entry(data).commitments
    assert set(openings) == {"actor", "note"} == set(commitments) - {"by", "body.reason"}
    for field, opening in openings.items():
        verify_commitment(opening.value, opening.salt, commitments[field])
    assert {field: (opening.entry_id, opening.party_id, opening.value) for field, opening in openings.items()} == {
        "actor": (entry_ids[0], party_id, NAME),
        "note": (entry_ids[0], None, NOTE),
    }


def test_equal_values_do_not_show_as_equal() -> None:
    entry = withdrawal(actor=HiddenValue(NAME), other=HiddenValue(NAME)).entry
    assert entry.commitments["actor"] != entry.commitments["other"]
    assert entry.commitments["actor"] != withdrawal(actor=HiddenValue(NAME)).entry.commitments["actor"]
