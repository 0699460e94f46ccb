"""Acts of people: an entry that names a role, and commitments to the name and the note that came with it.

Rules, in order:

1. The log gets the role in clear, and the reason, which is to name nobody; name and note stay in the database, as openings of
   the entry's commitments, and can be erased there.
2. Nothing is committed here: act, entry and what they change are of one transaction, the caller's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from shared.ledger.body_fields import EntryBody
from shared.ledger.commitments import build_commitment, new_salt
from shared.ledger.entries import build_entry
from shared.ledger.log import Log
from shared.records.items import Commitment
from shared.records.parties import find_or_add_parties

NAME, NOTE = "actor.name", "note"


@dataclass(frozen=True)
class Actor:
    """Who acts: by role, with a name and a note that the log only commits to."""

    role: str
    name: str | None = None
    note: str | None = None


def log_act(session: Session, actor: Actor, subject: Mapping[str, str], body: EntryBody, at: datetime) -> int:
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
    values = {field: value for field, value in ((NAME, actor.name), (NOTE, actor.note)) if value is not None}
    salts = {field: new_salt() for field in values}
    commitments = {field: build_commitment(value, salts[field]) for field, value in values.items()}
    entry = build_entry(body.entry_type, at=at, subject=subject, body=body, commitments=commitments)
    [entry_id] = Log.append(session, [entry])
    party = find_or_add_parties(session, [(actor.name, "")])[actor.name, ""] if actor.name is not None else None
    for field, value in values.items():
        party_id = party if field == NAME else None
        session.add(Commitment(entry_id=entry_id, field=field, party_id=party_id, salt=salts[field], value=value))
    session.flush()
    return entry_id
