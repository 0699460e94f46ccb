"""Audit events: the verdict in clear, role, reason, name and note as commitments that can be opened."""

from sqlmodel import select

from services.output_gate.audit_events import Actor, log_audit_event
from shared.clock import utc_now
from shared.ledger.entries import parse_entry
from shared.ledger.output_bodies import CheckReviewed
from shared.records.committed_entries import Commitment
from shared.workspace import Workspace
from tests.support.log_entries import open_entry


def test_the_log_gets_the_verdict_and_only_commits_to_the_name(workspace: Workspace) -> None:
    body = CheckReviewed(role="reviewer", verdict="confirm", reason="a copy")
    with workspace.writing() as session:
        actor = Actor("reviewer", "Rita", "seen twice")
        entry_id = log_audit_event(session, actor, {"check": "c"}, body, utc_now())
    workspace.log.integrate()
    data = workspace.log.entry(workspace.log.index_of(entry_id))
    assert b"Rita" not in data
    entry = parse_entry(data)
    assert entry.body == {"verdict": "confirm"}
    assert entry.commitments.keys() == {"actor.name", "note", "by", "body.role", "body.reason", "body.further_items"}
    opened = open_entry(workspace, entry_id).body
    assert opened.items() >= {"role": "reviewer", "verdict": "confirm", "reason": "a copy"}.items()
    with workspace.reading() as session:
        openings = session.exec(select(Commitment).where(Commitment.entry_id == entry_id)).all()
    assert {opening.field: opening.value for opening in openings} == {"actor.name": "Rita", "note": "seen twice"}
