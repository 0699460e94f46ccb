"""Completeness: the recount of the log held against the database, entry by entry and row by row.

Rules, in order:

1. Entries are read as the log publishes them. Each that is about a check or flag has its row, which names this very entry
   and says the same; each row has its entry.
2. What a job was acknowledged to decide is decided, or its job still works on it.
3. A count goes on from where it was; `restart` begins anew, for rows that were changed behind a count.
"""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import sqlalchemy
from sqlmodel import Session

from services.output_gate.completeness.recount import Gap, Recount
from shared.ledger.bundles import read_published
from shared.ledger.readers import FolderReader
from shared.ledger.tables import LogEntry
from shared.records.batches import count_undecided
from shared.records.bulk_insert import table_of
from shared.records.checks import Check
from shared.records.flag_states import ENDED
from shared.records.flags import Flag, FlagStep, count_flags
from shared.workspace import Workspace

# Entries compared in one query for each table.
BATCH_ENTRIES = 4096
_ENDED = tuple(sorted(ENDED))


@dataclass(frozen=True)
class Completeness:
    """What was counted, and every gap."""

    recount: Recount
    gaps: tuple[Gap, ...]
    # Images that jobs were acknowledged to decide and still work on.
    waiting: int

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing and nothing is there twice."""
        return not self.gaps


@dataclass
class CompletenessCount:
    """A count over a workspace that goes on with its log; safe to use from several threads."""

    workspace: Workspace
    _recount: Recount = field(default_factory=Recount)
    _differences: list[Gap] = field(default_factory=list)
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def restart(self) -> None:
        """Begin anew with the first entry."""
        with self._busy:
            self._recount, self._differences = Recount(), []

    def bring_up(self) -> Completeness:
        """Count what the log has by now.

        Raises:
            VerificationError: the log's files are not what they must be.
            UnavailableError: the database or the log does not answer.
        """
        with self._busy:
            size = self.workspace.log.integrate().size
            entries = read_published(FolderReader(self.workspace.log.folder), self._recount.size, size)
            while self._recount.size < size:
                self._take(entries)
            with self.workspace.reading() as session:
                now = _compare_states(session, self._recount)
                if not self._is_newest(session):
                    now = []  # the tables may be ahead of what was counted
                undecided, waiting = count_undecided(session)
            lost = [Gap("accepted_undecided", batch, None, f"{count} images") for batch, count in undecided.items()]
            gaps = (*self._recount.list_gaps(), *self._differences, *now, *lost)
            return Completeness(self._recount, gaps, waiting)

    def _is_newest(self, session: Session) -> bool:
        """Say whether no entry has been committed since: only then must states in tables be those of the count."""
        entry = table_of(LogEntry).c
        newer = sqlalchemy.or_(entry.index.is_(None), entry.index >= self._recount.size)
        return session.execute(sqlalchemy.select(entry.id).where(newer).limit(1)).first() is None

    def _take(self, entries: Iterator[tuple[int, bytes]]) -> None:
        start = self._recount.size
        relevant: dict[int, dict[str, Any]] = {}
        for index, data in islice(entries, BATCH_ENTRIES):
            entry = self._recount.take(index, data)
            if entry is not None:
                relevant[index] = entry
        with self.workspace.reading() as session:
            self._differences += _compare_rows(session, start, self._recount.size, relevant)


def _compare_rows(session: Session, start: int, end: int, entries: Mapping[int, dict[str, Any]]) -> list[Gap]:
    """Hold the entries with start ≤ index < end against the rows that name them."""
    checks = {index: entry for index, entry in entries.items() if entry["type"] == "check.decided"}
    flags = {index: entry for index, entry in entries.items() if entry["type"] == "flag.raised"}
    steps = {index: entry for index, entry in entries.items() if entry["type"].startswith("flag.") and index not in flags}
    check, flag, step = table_of(Check).c, table_of(Flag).c, table_of(FlagStep).c
    check_rows = _rows(session, start, end, check.entry_id, check.id, check.decision)
    flag_rows = _rows(session, start, end, flag.entry_id, flag.id, flag.check_id)
    step_rows = _rows(session, start, end, step.entry_id, step.flag_id)
    return [
        *_differ(
            "check", {at: (entry["subject"]["check"], entry["body"]["decision"]) for at, entry in checks.items()}, check_rows
        ),
        *_differ(
            "flag", {at: (entry["subject"]["flag"], entry["subject"]["check"]) for at, entry in flags.items()}, flag_rows
        ),
        *_differ("step", {at: (entry["subject"]["flag"],) for at, entry in steps.items()}, step_rows),
    ]


def _rows(session: Session, start: int, end: int, entry_id: Any, *columns: Any) -> dict[int, tuple[str, ...]]:
    """Return rows by the index of the entry that they name."""
    entry = table_of(LogEntry).c
    query = (
        sqlalchemy.select(entry.index, *columns)
        .join_from(columns[0].table, table_of(LogEntry), entry.id == entry_id)
        .where(entry.index >= start, entry.index < end)
    )
    return {index: tuple(facts) for index, *facts in session.execute(query)}


def _differ(what: str, logged: Mapping[int, tuple[str, ...]], rows: Mapping[int, tuple[str, ...]]) -> list[Gap]:
    gaps = []
    for index, facts in logged.items():
        row = rows.get(index)
        if row is None:
            gaps.append(Gap(f"{what}_without_row", facts[0], index, "no row names this entry: lost, or logged twice"))
        elif row != facts:
            gaps.append(Gap(f"{what}_differs", facts[0], index, f"the log says {' '.join(facts)}, the row {' '.join(row)}"))
    foreign = rows.keys() - logged.keys()
    gaps += [Gap(f"{what}_without_entry", rows[index][0], index, "its entry says something else") for index in foreign]
    return gaps


def _compare_states(session: Session, recount: Recount) -> list[Gap]:
    """Hold the state of each flag against what its entries come to."""
    flag = table_of(Flag).c
    ended = dict(recount.outcomes)
    counted = {state: count for state, count in count_flags(session).items() if state in ended or state in _ENDED}
    gaps = [
        Gap("outcomes_differ", state, None, f"the log says {ended.get(state, 0)}, the table {counted.get(state, 0)}")
        for state in sorted({*ended, *counted})
        if ended.get(state, 0) != counted.get(state, 0)
    ]
    rows = session.execute(sqlalchemy.select(flag.id, flag.state).where(flag.state.not_in(_ENDED)))
    states: dict[str, str] = {row.id: row.state for row in rows}
    for flag_id in sorted({*states, *recount.open_flags}):
        logged = recount.open_flags.get(flag_id)
        if logged is None or states.get(flag_id) != logged.state:
            detail = f"the log says {logged.state if logged else 'ended'}, the row {states.get(flag_id, 'ended')}"
            gaps.append(Gap("state_differs", flag_id, None, detail))
    return gaps
