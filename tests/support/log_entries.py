"""Entries of a log with their bodies opened: what the records say that the log commits to, verified against it."""

from collections.abc import Sequence

from sqlmodel import col, select

from shared.ledger.entries import Entry
from shared.ledger.openings import verify_opening
from shared.ledger.tables import LogEntry
from shared.ledger.verify import verify_receipt
from shared.records.openings import load_openings
from shared.workspace import Workspace


def open_entries(workspace: Workspace, entry_ids: Sequence[int]) -> list[Entry]:
    """Entries by the ids of their rows, in order."""
    receipts = workspace.log.receipts(entry_ids)
    with workspace.reading() as session:
        openings = load_openings(session, entry_ids)
    entries = []
    for entry_id, receipt in zip(entry_ids, receipts, strict=True):
        entry, opening = verify_receipt(receipt, workspace.log.vkey).entry, openings[entry_id]
        verify_opening(opening, entry.commitments)
        entries.append(entry.model_copy(update={"body": entry.opened_body(opening)}))
    return entries


def open_entry(workspace: Workspace, entry_id: int) -> Entry:
    """One entry by the id of its row."""
    return open_entries(workspace, [entry_id])[0]


def open_entries_after(workspace: Workspace, size: int) -> list[Entry]:
    """What was logged after the log had a size."""
    workspace.log.integrate()
    with workspace.reading() as session:
        entry_ids = session.exec(select(LogEntry.id).where(col(LogEntry.index) >= size).order_by(col(LogEntry.index))).all()
    return open_entries(workspace, [entry_id for entry_id in entry_ids if entry_id is not None])
