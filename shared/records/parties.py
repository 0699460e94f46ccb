"""Parties: the people and organisations that records name, as acquirers or as presumed owners.

A name is personal data: it lives here and never in the log, which carries salted commitments to it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import DateTime, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from shared.clock import utc_now
from shared.ids import new_id
from shared.records.bulk_insert import in_chunks, insert_missing


class Party(SQLModel, table=True):
    """A person or organisation, as named by a source."""

    __tablename__ = "party"
    __table_args__ = (UniqueConstraint("name", "url"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    name: str = Field(index=True)
    # Empty where the source gives none; an empty string keeps the unique constraint effective, NULL would not.
    url: str = ""
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


def find_or_add_parties(session: Session, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the ids of parties by (name, URL), adding those that are new, in the caller's transaction.

    Args:
        session: an open transaction; nothing is committed here.
        names: names and URLs, the URL empty where none is known; repetitions do no harm.
    """
    distinct = sorted(set(names))
    ids = _find_parties(session, distinct)
    new = [pair for pair in distinct if pair not in ids]
    if not new:
        return ids
    now = utc_now()
    insert_missing(session, Party, [{"id": new_id(), "name": name, "url": url, "created_at": now} for name, url in new])
    # Read back, since another transaction may have added one of them first.
    return ids | _find_parties(session, new)


def load_parties(session: Session, party_ids: Iterable[str]) -> dict[str, Party]:
    """Return parties by id; an id that stands for none is left out."""
    chunks = in_chunks(sorted(set(party_ids)))
    return {party.id: party for chunk in chunks for party in session.exec(select(Party).where(col(Party.id).in_(chunk)))}


def _find_parties(session: Session, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    ids: dict[tuple[str, str], str] = {}
    names = sorted({name for name, _ in pairs})
    for chunk in in_chunks(names):
        query = select(Party.name, Party.url, Party.id).where(col(Party.name).in_(chunk))
        ids |= {(name, url): party_id for name, url, party_id in session.exec(query)}
    return {pair: ids[pair] for pair in pairs if pair in ids}
