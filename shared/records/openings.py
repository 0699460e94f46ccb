"""What opens the entries of the log, as far as it was not erased: their hidden values, and the names that they commit to.

Rules, in order:

1. Whoever may see a thing is given the openings of the entries about it; the caller of this module decides who that is.
2. For whom an entry was made is opened only where it is asked for by name.
3. A value is erased by deleting it and its salt. The seed goes with it, since every salt follows from the seed; the salts of
   what stays are written down.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from sqlmodel import Session, col, select

from shared.ledger.authorship import BY
from shared.ledger.entries import Entry, parse_entry
from shared.ledger.log import Log
from shared.ledger.openings import FieldOpening, open_values
from shared.ledger.tables import LogOpening
from shared.records.bulk_insert import in_chunks
from shared.records.committed_entries import Commitment

Openings = Annotated[
    dict[str, FieldOpening],
    Field(
        default_factory=dict,
        description="What opens the commitments of the receipt's entry: by the name of each, value and salt.",
    ),
]


@dataclass(frozen=True)
class OpenedEntry:
    """An entry with its place in the log, its receipt, and what opens it."""

    index: int
    entry: Entry
    receipt: str
    opening: Openings

    def answer_fields(self) -> dict[str, Any]:
        """Return what every answer about an entry says: index, type, time, the body as opened, opening and receipt."""
        return {
            "index": self.index,
            "type": self.entry.type,
            "at": self.entry.at,
            "body": self.entry.opened_body(self.opening),
            "opening": self.opening,
            "receipt": self.receipt,
        }


def load_openings(session: Session, entry_ids: Sequence[int], *, with_names: bool = True) -> dict[int, Openings]:
    """Return what opens entries, by the id of the entry.

    Args:
        session: an open transaction.
        entry_ids: which entries; those of version 1 have hidden names at most.
        with_names: also names, notes and queries, which stand beside the body.
    """
    openings: dict[int, Openings] = {entry_id: {} for entry_id in entry_ids}
    for chunk in in_chunks(sorted(openings)):
        for row in session.exec(select(LogOpening).where(col(LogOpening.entry_id).in_(chunk))):
            openings[row.entry_id] = _open(row, lambda name: name != BY)
        if with_names:
            for name in session.exec(select(Commitment).where(col(Commitment.entry_id).in_(chunk))):
                openings[name.entry_id][name.field] = FieldOpening(value=name.value, salt=name.salt.hex())
    return openings


def load_opening(session: Session, entry_id: int) -> Openings:
    """Return what opens one entry."""
    return load_openings(session, [entry_id])[entry_id]


def load_opened_entries(log: Log, entry_ids: Sequence[int], openings: Mapping[int, Openings]) -> list[OpenedEntry]:
    """Read entries with their receipts, which are under one checkpoint.

    Args:
        log: whose entries.
        entry_ids: which, in the order wanted.
        openings: what opens each of them.
    """
    entries = []
    for entry_id, receipt in zip(entry_ids, log.receipts(entry_ids), strict=True):
        index = log.index_of(entry_id)
        entries.append(OpenedEntry(index, parse_entry(log.entry(index)), receipt, openings[entry_id]))
    return entries


def list_entries_by(session: Session, author: str, after: int, limit: int) -> list[tuple[int, Openings]]:
    """Return the entries that were made for an author, oldest first: their ids, each with the opening of its author.

    Args:
        session: an open transaction.
        author: id of a key, or `operator`.
        after: id of the last entry of the page before.
        limit: how many at most.
    """
    query = (
        select(LogOpening)
        .where(LogOpening.author == author, col(LogOpening.entry_id) > after)
        .order_by(col(LogOpening.entry_id))
        .limit(limit)
    )
    return [(row.entry_id, _open(row, lambda name: name == BY)) for row in session.exec(query)]


def erase_hidden_values(session: Session, entry_ids: Iterable[int], names_person: Callable[[Any], bool]) -> int:
    """Erase hidden values of entries in the caller's transaction, and return how many.

    Args:
        session: an open transaction.
        entry_ids: of which entries.
        names_person: says of a value whether it has to go.
    """
    erased = 0
    for chunk in in_chunks(sorted(set(entry_ids))):
        for row in session.exec(select(LogOpening).where(col(LogOpening.entry_id).in_(chunk))):
            values = json.loads(row.hidden)
            erased += _keep_only(session, row, {name for name, value in values.items() if not names_person(value)})
    session.flush()
    return erased


def _keep_only(session: Session, row: LogOpening, names: Collection[str]) -> int:
    values = json.loads(row.hidden)
    if len(names) == len(values):
        return 0
    opening = _open(row, lambda name: name in names)
    row.salts, row.seed = {name: shown.salt for name, shown in opening.items()}, None
    row.hidden = json.dumps({name: shown.value for name, shown in opening.items()}, ensure_ascii=False)
    session.add(row)
    return len(values) - len(names)


def _open(row: LogOpening, is_wanted: Callable[[str], bool]) -> Openings:
    values, salts = json.loads(row.hidden), row.salts or {}
    if row.seed is not None:
        opening = open_values(values, row.seed)
    else:
        opening = {name: FieldOpening(value=value, salt=salts[name]) for name, value in values.items()}
    return {name: shown for name, shown in opening.items() if is_wanted(name)}
