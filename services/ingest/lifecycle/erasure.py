"""Erasing a person: the name goes, every proof stays.

Rules, in order:

1. The log holds salted commitments to names. Without salt and value a commitment says nothing; its entry verifies as before.
2. Deleted are the party's name and URL, the openings of all commitments to the name, and the queries and notes of searches for
   the owners of the party's items, which often hold the name, with the openings of the commitments to them; so are the notes
   to steps with flags of these items. Role, basis and confidence stay: somebody is presumed the owner.
3. Whatever else names the party on these items is deleted as well: titles, URLs, columns of a source (`extra`), what signals
   say, and the openings of such values in the log's entries (`named_values`).
4. What was deleted is taken out of the database's files, its write-ahead log included. On PostgreSQL that log and backups are
   the operator's (docs/runbooks/deploy.md).
5. The images themselves, the keys of a source and backups may hold the name too; this does not find them.

Source: Regulation (EU) 2016/679, Art. 17.
"""

import structlog
from sqlalchemy import CursorResult, delete, update
from sqlmodel import Session, col, select

from services.ingest.lifecycle.named_values import erase_named_values
from shared.clock import utc_now
from shared.db import overwrite_deleted
from shared.errors import ConflictError, NotFoundError
from shared.ledger.bodies import PartyErased
from shared.ledger.entries import build_entry
from shared.records.committed_entries import Commitment
from shared.records.entry_rows import append_entry
from shared.records.flags import Flag, FlagStep
from shared.records.items import Diligence, Item, ItemOwner
from shared.records.parties import Party
from shared.workspace import Workspace

ERASED = "(erased)"
TABLES = ("party", "commitment", "diligence")

log = structlog.get_logger()


def erase(workspace: Workspace, party_id: str, reason: str) -> int:
    """Erase a party, log that it was done, and take the name out of the database's files; see `erase_party`."""
    with workspace.writing() as session:
        deleted = erase_party(session, party_id, reason)
    workspace.log.integrate()
    if not overwrite_deleted(workspace.engine, TABLES):
        log.warning(
            "write_ahead_log_not_emptied", party=party_id, expected="no other reader; stop the server and start it again"
        )
    return deleted


def erase_party(session: Session, party_id: str, reason: str) -> int:
    """Erase a party and log that it was done, in the caller's transaction.

    Args:
        session: an open transaction.
        party_id: whom; the id stays in the log and in the records.
        reason: why, in words that name nobody.

    Returns:
        How many openings of commitments were deleted.

    Raises:
        NotFoundError: no such party.
        ConflictError: the party is erased already.
    """
    party = session.get(Party, party_id)
    if party is None:
        raise NotFoundError(f"no party {party_id!r}", code="party_not_found")
    if party.name == ERASED:
        raise ConflictError(f"party {party_id} is erased already", code="party_erased")
    own_items = select(ItemOwner.item_id).where(ItemOwner.party_id == party_id)
    own_entries = select(Item.entry_id).where(col(Item.id).in_(own_items))
    own_searches = select(Diligence.entry_id).where(
        col(Diligence.item_id).in_(own_items), col(Diligence.entry_id).is_not(None)
    )
    is_query = col(Commitment.field).like("diligence.%.query") & col(Commitment.entry_id).in_(own_entries)
    is_later = col(Commitment.field).in_(["query", "note"]) & col(Commitment.entry_id).in_(own_searches)
    own_flags = select(Flag.id).where(col(Flag.item_id).in_(own_items))
    own_steps = select(FlagStep.entry_id).where(col(FlagStep.flag_id).in_(own_flags))
    is_step_note = (col(Commitment.field) == "note") & col(Commitment.entry_id).in_(own_steps)
    is_opening = (col(Commitment.party_id) == party_id) | is_query | is_later | is_step_note
    result = session.execute(delete(Commitment).where(is_opening))
    deleted = result.rowcount if isinstance(result, CursorResult) else 0
    session.execute(update(Diligence).where(col(Diligence.item_id).in_(own_items)).values(query=None, note=None))
    deleted += erase_named_values(session, party)
    # Name and URL are unique together; the id keeps several erased parties apart.
    party.name, party.url = ERASED, f"urn:uuid:{party_id}"
    session.add(party)
    body = PartyErased(reason=reason, commitments=deleted)
    append_entry(session, build_entry(body, at=utc_now(), subject={"party": party_id}))
    session.flush()
    return deleted
