"""Parties: the people and organisations that records name, as acquirers or as presumed owners.

A name is personal data: it lives here and never in the log, which carries salted commitments to it.
"""

from datetime import datetime

from sqlalchemy import DateTime, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, select

from shared.clock import utc_now
from shared.ids import new_id


class Party(SQLModel, table=True):
    """A person or organisation, as named by a source."""

    __tablename__ = "party"
    __table_args__ = (UniqueConstraint("name", "url"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    name: str = Field(index=True)
    # Empty where the source gives none; an empty string keeps the unique constraint effective, NULL would not.
    url: str = ""
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


def find_or_add_party(session: Session, name: str, url: str = "") -> Party:
    """Return the party with this name and URL, adding it where it is new."""
    found = session.exec(select(Party).where(Party.name == name, Party.url == url)).first()
    if found is not None:
        return found
    party = Party(name=name, url=url)
    session.add(party)
    session.flush()
    return party
