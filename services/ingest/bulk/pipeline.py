"""Bulk registration: rows of any source into the ledger, in batches, each batch one transaction.

Rules, in order:

1. A bad row is reported and left out; the good rows of its batch are kept.
2. A row registered before is counted and changes nothing, so a run that was interrupted is simply run again.
3. The blobs of a batch are durable before its transaction, and its transaction before its log is integrated. What the
   caller hears of is under a signed checkpoint.
4. One batch is stored while the next ones are read and checked, by processes that a hostile image may end (`check_pool`).
   Batches are stored in the order of the source; after one that cannot be stored, none is.
5. A row that names bytes by their digest finds those of every row before it, in this run or an earlier one. The rights
   signals in the bytes are read for it as for the first.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Literal

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from services.ingest.bulk.check_pool import Checked, CheckPool
from services.ingest.bulk.held_blobs import HeldBlobs
from services.ingest.bulk.rows import AnyRow, BadRow, HeldRow, NoPicture, Pause, Row, refuse
from services.ingest.registration.preparation import EarlierForm, PreparedItem
from services.ingest.registration.service import RegistrationOutcome, record_items
from shared.errors import SleeveError
from shared.workspace import Workspace

# One transaction and one checkpoint a batch: large enough to spread their cost, small enough to lose little time when
# a run is stopped.
BATCH_ROWS = 500
# Large images make small batches.
BATCH_BYTES = 64 * 2**20
# Batches in memory at once: one that is stored, one checked, one read.
BATCHES_AHEAD = 2
# What a result keeps of bad rows: all are given to `on_outcomes`, and a run may have millions.
KEPT_BAD_ROWS = 1000


@dataclass(frozen=True)
class RowOutcome:
    """What became of one row."""

    key: str
    state: Literal["registered", "known", "refused", "no_picture"]
    item_id: str | None = None
    error: SleeveError | None = None


@dataclass
class BulkResult:
    """What a bulk registration did."""

    created: int = 0
    known: int = 0
    refused: int = 0
    no_pictures: int = 0
    # The first of the refused ones, and how many there are by code.
    bad: list[BadRow] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)

    def add(self, outcomes: Iterable[RowOutcome]) -> None:
        """Count what became of rows."""
        for outcome in outcomes:
            self.created += outcome.state == "registered"
            self.known += outcome.state == "known"
            self.no_pictures += outcome.state == "no_picture"
            if outcome.error is None:
                continue
            self.refused += 1
            self.codes[outcome.error.code] += 1
            if len(self.bad) < KEPT_BAD_ROWS:
                self.bad.append(BadRow(outcome.key, outcome.error))


def register_rows(
    workspace: Workspace,
    rows: Iterable[AnyRow | Pause],
    report_progress: Callable[[int], None] = lambda _count: None,
    on_outcomes: Callable[[Sequence[RowOutcome]], None] = lambda _outcomes: None,
    verify_caller: Callable[[Session], None] = lambda _session: None,
) -> BulkResult:
    """Register rows.

    Args:
        workspace: where to.
        rows: what a source yields; a pause ends a batch.
        report_progress: called after each batch with the number of its rows.
        on_outcomes: called with the outcomes of each batch, in the order of its rows, once they are under a signed checkpoint;
            called on the thread that stores.

        verify_caller: called in the transaction of each batch; raises where the caller may no longer register.

    Returns:
        Counts of new, known and refused items, and the first bad rows in the order met.

    Raises:
        UnavailableError: the database is down, or the bytes cannot be stored.
    """
    result = BulkResult()
    waiting: deque[Future[list[RowOutcome]]] = deque()

    def finish() -> None:
        outcomes = waiting.popleft().result()
        result.add(outcomes)
        report_progress(len(outcomes))

    with CheckPool(workspace.limits, workspace.blobs) as pool, ThreadPoolExecutor(1, thread_name_prefix="store") as storing:
        store = _Storing(workspace, on_outcomes, verify_caller).store
        for batch in _batches(rows):
            # What is stored is logged for whoever runs this.
            waiting.append(storing.submit(copy_context().run, store, _Batch(batch, pool)))
            while len(waiting) > BATCHES_AHEAD or waiting[0].done():
                finish()
                if not waiting:
                    break
        while waiting:
            finish()
    return result


def _batches(rows: Iterable[AnyRow | Pause]) -> Iterator[list[AnyRow]]:
    batch: list[AnyRow] = []
    size_bytes = 0
    for row in rows:
        if not isinstance(row, Pause):
            batch.append(row)
            size_bytes += len(row.data) if isinstance(row, Row) else 0
        if batch and (isinstance(row, Pause) or len(batch) == BATCH_ROWS or size_bytes >= BATCH_BYTES):
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


class _Batch:
    """Rows that are being checked; their bytes are held no longer than that takes."""

    def __init__(self, rows: Sequence[AnyRow], pool: CheckPool) -> None:
        self.keys = [row.key for row in rows]
        # In the place of each row with bytes, None: its outcome comes with the others' from the pool.
        self._others = [None if isinstance(row, Row) else row for row in rows]
        unchecked = [(row.registration, row.data, tuple(row.source_signals())) for row in rows if isinstance(row, Row)]
        self._chunks = pool.submit(unchecked) if unchecked else []
        self._forms = [(row.earlier, row.spare_key) for row in rows if isinstance(row, Row)]

    def checked(self) -> list[Checked | HeldRow | BadRow | NoPicture]:
        """Wait for the checks, and return what became of the rows, in their order."""
        checked = [result for chunk in self._chunks for result in chunk.result()]
        results = iter([_with_forms(result, *forms) for result, forms in zip(checked, self._forms, strict=True)])
        return [next(results) if outcome is None else outcome for outcome in self._others]


def _with_forms(result: Checked, earlier: EarlierForm | None, spare_key: str | None) -> Checked:
    if isinstance(result, PreparedItem) and (earlier is not None or spare_key is not None):
        return replace(result, earlier=earlier, spare_key=spare_key)
    return result


class _Storing:
    """Stores batches, one after the other, on one thread."""

    def __init__(
        self,
        workspace: Workspace,
        on_outcomes: Callable[[Sequence[RowOutcome]], None],
        verify_caller: Callable[[Session], None],
    ) -> None:
        self._workspace, self._on_outcomes, self._verify_caller = workspace, on_outcomes, verify_caller
        self._held = HeldBlobs(workspace)
        self._failure: Exception | None = None

    def store(self, batch: _Batch) -> list[RowOutcome]:
        """Store one batch, and report its outcomes.

        Raises:
            Exception: that of the first batch that could not be stored; nothing beyond a gap is reported.
        """
        if self._failure is not None:
            raise self._failure
        try:
            outcomes = self._store(batch)
            self._on_outcomes(outcomes)
        except Exception as error:
            self._failure = error
            raise
        return outcomes

    def _store(self, batch: _Batch) -> list[RowOutcome]:
        results = self._held.resolve(batch.checked())
        prepared = [result for result in results if isinstance(result, PreparedItem)]
        recorded = iter(self._record(prepared))
        self._workspace.log.integrate()
        outcomes = [next(recorded) if isinstance(result, PreparedItem) else result for result in results]
        return [_outcome(key, result) for key, result in zip(batch.keys, outcomes, strict=True)]

    def _record(self, prepared: Sequence[PreparedItem]) -> list[RegistrationOutcome | SleeveError]:
        try:
            return self._record_once(prepared)
        except IntegrityError:
            # Someone else registered one of the keys between our look and our write: now it is there to be found.
            return self._record_once(prepared)

    def _record_once(self, prepared: Sequence[PreparedItem]) -> list[RegistrationOutcome | SleeveError]:
        with self._workspace.writing() as session:
            self._verify_caller(session)
            return record_items(session, prepared)


def _outcome(key: str, recorded: RegistrationOutcome | SleeveError | NoPicture) -> RowOutcome:
    if isinstance(recorded, NoPicture):
        return RowOutcome(key, "no_picture")
    if isinstance(recorded, SleeveError):
        return RowOutcome(key, "refused", error=refuse(key, recorded).error)
    return RowOutcome(key, "registered" if recorded.created else "known", recorded.item_id)
