"""Audit events: log entries of what people do with checks and flags.

Rules, in order:

1. The log gets a verdict or an outcome in clear. To role, reason, name and note it commits; they stay in the database, as
   openings of the entry's commitments, and can be erased there. The reason is to name nobody, since owners may see it.
2. Nothing is committed here: act, entry and what they change are of one transaction, the caller's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from shared.ledger.body_fields import EntryBody
from shared.records.committed_entries import HiddenValue, append_committed_entries, build_committed_entry
from shared.records.parties import find_or_add_parties

NAME, NOTE = "actor.name", "note"


@dataclass(frozen=True)
class Actor:
    """Who acts: by role, with a name and a note that the log only commits to."""

    role: str
    name: str | None = None
    note: str | None = None


def log_audit_event(session: Session, actor: Actor, subject: Mapping[str, str], body: EntryBody, at: datetime) -> int:
    """Append the entry of an act.

    Args:
        session: an open transaction.
        actor: who; the body holds the role.
        subject: ids of what the act is about.
        body: what was done.
        at: when.

    Returns:
        The entry's id.

    Raises:
        InputError: the act is too long for an entry.
    """
    values = {}
    if actor.name is not None:
        party_id = find_or_add_parties(session, [(actor.name, "")])[actor.name, ""]
        values[NAME] = HiddenValue(actor.name, party_id)
    if actor.note is not None:
        values[NOTE] = HiddenValue(actor.note)
    [entry_id] = append_committed_entries(session, [build_committed_entry(body, at=at, subject=subject, values=values)])
    return entry_id
