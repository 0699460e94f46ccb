"""Entries that commit to values which the log must not show. The openings of the commitments stay in the database.

Rules, in order:

1. The log gets salted commitments. Value and salt, the opening, stay in the database, where they can be erased.
2. Each commitment has a salt of its own, so equal values do not show as equal.
3. Nothing is committed here: entries, openings and what they are about belong to one transaction, the caller's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, LargeBinary
from sqlmodel import Field, Session, SQLModel

from shared.ledger.body_fields import EntryBody
from shared.ledger.commitments import build_commitment, new_salt
from shared.ledger.entries import Entry, build_entry
from shared.ledger.log import Log
from shared.records.bulk_insert import insert_all


class Commitment(SQLModel, table=True):
    """The opening of a commitment in a log entry: kept with the value, deleted to erase the party that it names."""

    __tablename__ = "commitment"

    entry_id: int = Field(foreign_key="log_entry.id", primary_key=True, sa_type=BigInteger)
    field: str = Field(primary_key=True)
    # Whose name it is; none for the query of a search.
    party_id: str | None = Field(default=None, foreign_key="party.id", index=True, max_length=36)
    salt: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    value: str


@dataclass(frozen=True)
class HiddenValue:
    """A value that an entry commits to.

    Args:
        text: the value.
        party_id: whose name it is; None for what names nobody by itself, such as a note.
    """

    text: str
    party_id: str | None = None


@dataclass(frozen=True)
class CommittedEntry:
    """An entry, and by field what it commits to and the salt of the commitment."""

    entry: Entry
    values: Mapping[str, HiddenValue]
    salts: Mapping[str, bytes]

    def build_openings(self, entry_id: int) -> list[dict[str, Any]]:
        """Return the rows of table `commitment` that open the entry's commitments."""
        return [
            {
                "entry_id": entry_id,
                "field": field,
                "party_id": value.party_id,
                "salt": self.salts[field],
                "value": value.text,
            }
            for field, value in self.values.items()
        ]


def build_committed_entry(
    body: EntryBody, *, at: datetime, subject: Mapping[str, str], values: Mapping[str, HiddenValue]
) -> CommittedEntry:
    """Build an entry that commits to values.

    Args:
        body: what took place.
        at: when.
        subject: ids and digests of what the entry is about.
        values: by field, such as `acquirer.name`.

    Raises:
        InputError: a field is out of range.
    """
    salts = {field: new_salt() for field in values}
    commitments = {field: build_commitment(value.text, salts[field]) for field, value in values.items()}
    return CommittedEntry(build_entry(body, at=at, subject=subject, commitments=commitments), values, salts)


def append_committed_entries(session: Session, entries: Sequence[CommittedEntry]) -> list[int]:
    """Append entries and keep the openings of their commitments, in the caller's transaction.

    Returns:
        The ids of the entries, in their order.

    Raises:
        InputError: an entry is too long for the log; nothing is written then.
    """
    entry_ids = Log.append(session, [committed.entry for committed in entries])
    insert_openings(session, zip(entries, entry_ids, strict=True))
    return entry_ids


def insert_openings(session: Session, entries: Iterable[tuple[CommittedEntry, int]]) -> None:
    """Keep the openings of entries that were appended."""
    rows = [row for committed, entry_id in entries for row in committed.build_openings(entry_id)]
    insert_all(session, Commitment, rows)
