"""Bulk registration: rows of any source into the ledger, in batches, each batch one transaction.

Rules, in order:

1. A bad row is reported and left out; the good rows of its batch are kept.
2. A row registered before is counted and changes nothing, so a run that was interrupted is simply run again.
3. After each batch the log is integrated: what the caller is told of is in a signed checkpoint.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from services.ingest.registration.service import PreparedItem, prepare_item, record_item
from services.ingest.sources.rows import BadRow, Row
from shared.errors import SleeveError
from shared.workspace import Workspace

# One transaction and one checkpoint a batch: large enough to spread their cost, small enough to lose little time when
# a run is stopped.
BATCH_ROWS = 200


@dataclass
class BulkResult:
    """What a bulk registration did."""

    created: int = 0
    known: int = 0
    bad: list[BadRow] = field(default_factory=list)


def register_rows(
    workspace: Workspace, rows: Iterable[Row | BadRow], on_rows: Callable[[int], None] = lambda _count: None
) -> BulkResult:
    """Register rows.

    Args:
        workspace: where to.
        rows: what a source yields.
        on_rows: told after each batch how many rows it had.

    Returns:
        Counts of new and known items, and the bad rows in the order met.

    Raises:
        UnavailableError: the database is down.
    """
    result = BulkResult()
    for batch in _batches(rows):
        prepared = [one for row in batch if (one := _prepare(workspace, row, result.bad)) is not None]
        _record_batch(workspace, prepared, result)
        workspace.log.integrate()
        on_rows(len(batch))
    return result


def _batches(rows: Iterable[Row | BadRow]) -> Iterator[list[Row | BadRow]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch


def _prepare(workspace: Workspace, row: Row | BadRow, bad: list[BadRow]) -> PreparedItem | None:
    if isinstance(row, BadRow):
        bad.append(row)
        return None
    try:
        return prepare_item(row.registration, row.data, workspace.blobs, workspace.limits)
    except SleeveError as error:
        bad.append(BadRow(row.key, error))
        return None


def _record_batch(workspace: Workspace, prepared: list[PreparedItem], result: BulkResult) -> None:
    created, known = 0, 0
    refused: list[BadRow] = []
    with workspace.writing() as session:
        for one in prepared:
            try:
                registered = record_item(session, one)
            except SleeveError as error:
                refused.append(BadRow(one.registration.source_key, error))
                continue
            created += registered.created
            known += not registered.created
    result.created += created
    result.known += known
    result.bad += refused
