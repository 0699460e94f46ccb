"""What must hold after any fault: log, receipts, items and answers. Each function returns what is wrong, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from shared.errors import SleeveError
from shared.ledger.tables import LogEntry
from shared.ledger.verify import verify_log, verify_receipt
from shared.settings import Settings
from shared.workspace import Workspace
from tests.support.store_checks import Store, Tally

Reports = Sequence[Mapping[str, Any]]
# How an endpoint answers what it could not do.
FAULT_STATUSES = {500, 503}


def verify_whole_log(workspace: Workspace) -> list[str]:
    """Verify the log from its files, and that every committed entry is in it."""
    checkpoint = workspace.log.integrate()
    try:
        report = verify_log(workspace.log.folder, workspace.log.vkey)
    except SleeveError as error:
        return [f"log: {error.message}"]
    with workspace.engine.connect() as connection:
        rows = connection.scalar(select(func.count()).select_from(LogEntry))
    if (report.size, report.root, rows) != (checkpoint.size, checkpoint.root, checkpoint.size):
        return [f"log: expected size {checkpoint.size} as signed, got {report.size} in the folder and {rows} rows"]
    return []


def verify_receipts(workspace: Workspace, reports: Reports) -> list[str]:
    """Verify every receipt that was handed out, as its holder does."""
    wrong = []
    for receipt in (receipt for report in reports for receipt in report.get("receipts", ())):
        try:
            verify_receipt(receipt, workspace.log.vkey)
        except SleeveError as error:
            wrong.append(f"receipt: {error.message}")
    return wrong


def verify_items(settings: Settings, acknowledged: Mapping[tuple[str, str], str]) -> list[str]:
    """Verify items, blobs and entries one against the other."""
    store, tally = Store(settings.home, settings.resolved_database_url), Tally()
    store.acknowledged |= acknowledged
    store.check(tally, last=True)
    return [f"items: {tally}"] if tally.faults else []


def verify_statuses(reports: Reports, good: set[int]) -> list[str]:
    """Of the disturbed process: a good answer or a problem; what it is sent again without a fault must succeed."""
    statuses = [report["status"] for report in reports if "status" in report]
    wrong = [f"answered {status}" for status in statuses[:1] if status not in good | FAULT_STATUSES]
    wrong += [f"no problem details: {report}" for report in reports if report.get("is_described") is False]
    return wrong + [f"sent again in the same process: {status}" for status in statuses[1:] if status not in good]


def verify_again(reports: Reports, good: set[int]) -> list[str]:
    """Of a fresh process: the same request must succeed."""
    return [f"sent again after a restart: {report}" for report in reports if report.get("status", 201) not in good]
