"""Bulk registration: rows of any source into the ledger, in batches, each batch one transaction.

Rules, in order:

1. A bad row is reported and left out; the good rows of its batch are kept.
2. A row registered before is counted and changes nothing, so a run that was interrupted is simply run again.
3. The blobs of a batch are durable before its transaction, and its transaction before its log is integrated; what the
   caller is told of is in a signed checkpoint.
4. One batch is stored while the next one is read and checked; batches are stored in the order of the source.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy.exc import IntegrityError

from services.ingest.registration.prepared import PreparedItem, check_item
from services.ingest.registration.service import RecordedItem, record_items
from services.ingest.sources.rows import BadRow, Row, refuse
from shared.errors import SleeveError
from shared.workspace import Workspace

# One transaction and one checkpoint a batch: large enough to spread their cost, small enough to lose little time when
# a run is stopped.
BATCH_ROWS = 500
# Two batches are in memory at once; large images make small batches.
BATCH_BYTES = 64 * 2**20

Checked = tuple[str, PreparedItem | SleeveError, bytes]


@dataclass(frozen=True)
class RowOutcome:
    """What became of one row."""

    key: str
    state: Literal["registered", "known", "refused"]
    item_id: str | None = None
    error: SleeveError | None = None


@dataclass
class BulkResult:
    """What a bulk registration did."""

    created: int = 0
    known: int = 0
    bad: list[BadRow] = field(default_factory=list)

    def add(self, outcomes: Iterable[RowOutcome]) -> None:
        """Count what became of rows."""
        for outcome in outcomes:
            self.created += outcome.state == "registered"
            self.known += outcome.state == "known"
            if outcome.error is not None:
                self.bad.append(BadRow(outcome.key, outcome.error))


def register_rows(
    workspace: Workspace,
    rows: Iterable[Row | BadRow],
    on_rows: Callable[[int], None] = lambda _count: None,
    on_outcomes: Callable[[Sequence[RowOutcome]], None] = lambda _outcomes: None,
) -> BulkResult:
    """Register rows.

    Args:
        workspace: where to.
        rows: what a source yields.
        on_rows: told after each batch how many rows it had.
        on_outcomes: given each batch's outcomes, a row each in the source's order, once they are in a signed checkpoint;
            called on the thread that stores.

    Returns:
        Counts of new and known items, and the bad rows in the order met.

    Raises:
        UnavailableError: the database is down.
    """
    result = BulkResult()

    def finish(stored: Future[list[RowOutcome]]) -> None:
        outcomes = stored.result()
        result.add(outcomes)
        on_rows(len(outcomes))

    def store(batch: Sequence[Checked]) -> list[RowOutcome]:
        outcomes = _store_batch(workspace, batch)
        on_outcomes(outcomes)
        return outcomes

    with ThreadPoolExecutor(1, thread_name_prefix="store") as storing:
        waiting: Future[list[RowOutcome]] | None = None
        for batch in _batches(rows):
            checked = [_check(workspace, row) for row in batch]
            if waiting is not None:
                finish(waiting)
            waiting = storing.submit(store, checked)
        if waiting is not None:
            finish(waiting)
    return result


def _batches(rows: Iterable[Row | BadRow]) -> Iterator[list[Row | BadRow]]:
    batch: list[Row | BadRow] = []
    size_bytes = 0
    for row in rows:
        batch.append(row)
        size_bytes += len(row.data) if isinstance(row, Row) else 0
        if len(batch) == BATCH_ROWS or size_bytes >= BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _check(workspace: Workspace, row: Row | BadRow) -> Checked:
    if isinstance(row, BadRow):
        return row.key, row.error, b""
    try:
        checked = check_item(row.registration, row.data, workspace.limits, source_signals=row.source_signals())
    except SleeveError as error:
        return row.key, refuse(row.key, error).error, b""
    return row.key, checked, row.data


def _store_batch(workspace: Workspace, batch: Sequence[Checked]) -> list[RowOutcome]:
    good = [(one, data) for _, one, data in batch if isinstance(one, PreparedItem)]
    workspace.blobs.save_many([data for _, data in good])
    recorded = iter(_record(workspace, [one for one, _ in good]))
    workspace.log.integrate()
    return [_outcome(key, next(recorded) if isinstance(one, PreparedItem) else one) for key, one, _ in batch]


def _record(workspace: Workspace, prepared: Sequence[PreparedItem]) -> list[RecordedItem | SleeveError]:
    try:
        with workspace.writing() as session:
            return record_items(session, prepared)
    except IntegrityError:
        # Someone else registered one of the keys between our look and our write: now it is there to be found.
        with workspace.writing() as session:
            return record_items(session, prepared)


def _outcome(key: str, recorded: RecordedItem | SleeveError) -> RowOutcome:
    if isinstance(recorded, SleeveError):
        return RowOutcome(key, "refused", error=recorded)
    return RowOutcome(key, "registered" if recorded.created else "known", recorded.item_id)
