"""Registrations as a stream of JSON Lines, answered by a stream of JSON Lines.

Rules, in order:

1. A line a row, in the order of the request, once the row is durable and under a signed checkpoint: `row` (the line's number),
   `source_key`, `state` (registered, known, refused), and `item` or `problem`. Then one last line: `summary` with counts and
   `checkpoint`. A stream without that line was cut off; what it says up to there holds.
2. A row that is refused loses no other. A row sent before is known, by data set and source key, so after an interruption the
   same stream is simply sent again.
3. Rows are read as the service gets to them, and answers wait in a file (`spool`), so a client may read along or send all
   before it reads, and memory stays the same however long the stream. Where the stream pauses, what came so far is recorded.
4. An Idempotency-Key names a stream by its first row, since the rest is not there yet when that one is recorded: the same key
   with another first row is a conflict, before anything is recorded; with the same one the stream goes on, and each row has
   one effect by rule 2. Rows left over from an interrupted stream, sent alone, need a key of their own.
5. The caller's key is asked about again with each batch. Once it is revoked or over, nothing more is recorded.
6. What fails before the first answer is a plain problem: another media type, an encoded or empty body, a key used before, a
   database that is down. What fails later is `problem` in the last line.
"""

import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any

from sqlmodel import Session

from services.ingest.batch.duplex_stream import Chunks, DisconnectedError, Write
from services.ingest.bulk.json_lines import HEAD_BYTES, Line, max_line_bytes, parse_line, read_lines
from services.ingest.bulk.pipeline import RowOutcome, register_rows
from services.ingest.bulk.rows import BadRow, HeldRow, Pause, Row
from shared.auth.caller import current_caller
from shared.canonical import sha256_hex
from shared.clock import utc_now
from shared.errors import InputError, SleeveError
from shared.http.problem_details import Problem, status_of
from shared.idempotency import once
from shared.ids import new_id
from shared.records.api_keys import verify_key_counts
from shared.workspace import Workspace

OPERATION = "items.batch"


def register_stream(workspace: Workspace, key: str | None, chunks: Chunks, write: Write) -> None:
    """Register the rows of a stream and write what became of them.

    Args:
        workspace: where to.
        key: the request's Idempotency-Key.
        chunks: the stream.
        write: given answer lines.

    Raises:
        InputError: there is no row in the stream.
        ConflictError: the key was used for another stream.
        SleeveError: registration failed before the first answer.
    """
    stream = _Stream(workspace, key, write)
    problem: SleeveError | None = None
    try:
        register_rows(workspace, stream.rows(chunks), on_outcomes=stream.answer, verify_caller=stream.verify_caller)
    except DisconnectedError:
        raise
    except SleeveError as error:
        if not stream.counts:
            raise
        problem = error
    if not stream.counts:
        raise InputError("expected at least one row, got an empty stream", code="stream_empty")
    stream.finish(problem)


class _Stream:
    """One stream of rows on its way: which rows are waiting for their outcome, and how those before them came out."""

    def __init__(self, workspace: Workspace, key: str | None, write: Write) -> None:
        self._workspace, self._key, self._write = workspace, key, write
        self._caller_key_id = current_caller().key_id
        # Line number and source key of the rows that are not answered yet, at most a few batches of them.
        self._waiting: deque[tuple[int, str | None]] = deque()
        self.counts: Counter[str] = Counter()

    def rows(self, chunks: Chunks) -> Iterator[Row | HeldRow | BadRow | Pause]:
        """Read the rows, noting each."""
        cap_bytes = max_line_bytes(self._workspace.limits.max_bytes)
        is_first = True
        for line in read_lines(chunks, cap_bytes):
            if isinstance(line, Pause):
                yield line
                continue
            if not line.data.strip():
                continue
            if is_first:
                self._claim_key(line)
                is_first = False
            row = parse_line(line, cap_bytes)
            self._waiting.append((line.number, None if row.key == line.name else row.key))
            yield row

    def _claim_key(self, first: Line) -> None:
        """Bind the Idempotency-Key to this stream, or find that it is bound to it."""
        if self._key is not None:
            request_sha256 = sha256_hex(first.data.strip()[:HEAD_BYTES])
            once(self._workspace, OPERATION, self._key, request_sha256, lambda _session: new_id())

    def verify_caller(self, session: Session) -> None:
        """Check that the key that the stream came with still counts.

        Raises:
            ForbiddenError: it was revoked since, or its time is over.
        """
        verify_key_counts(session, self._caller_key_id, utc_now())

    def answer(self, outcomes: Sequence[RowOutcome]) -> None:
        """Write a line for each of the oldest waiting rows."""
        lines = []
        for outcome in outcomes:
            number, source_key = self._waiting.popleft()
            line: dict[str, Any] = {"row": number, "source_key": source_key, "state": outcome.state}
            line |= {"item": outcome.item_id} if outcome.error is None else {"problem": _problem(outcome.error)}
            lines.append(_dump(line))
            self.counts[outcome.state] += 1
        self._write(b"".join(lines))

    def finish(self, problem: SleeveError | None) -> None:
        """Write the last line."""
        counts = {state: self.counts[state] for state in ("registered", "known", "refused")}
        last: dict[str, Any] = {"summary": {"rows": self.counts.total(), **counts}}
        last |= {"checkpoint": self._workspace.log.checkpoint().note} if problem is None else {"problem": _problem(problem)}
        self._write(_dump(last))


def _problem(error: SleeveError) -> dict[str, Any]:
    title = error.code.replace("_", " ").capitalize()
    return Problem(title=title, status=status_of(error), code=error.code, detail=error.message).model_dump()


def _dump(line: dict[str, Any]) -> bytes:
    # A lone surrogate in a key is no UTF-8: such a row was refused, and its key is shown escaped.
    return json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
