"""One run of `sleeve ingest add` over a source: registered row by row, each row's outcome kept, resumed where it stopped.

Rules, in order:

1. `<dataset>.status.jsonl` has a line a row in the source's order: row, state (registered, known, refused, no_picture), item,
   code, message. Lines are durable once the batch is committed and logged.
2. `<dataset>.progress.json` is there only while a run is unfinished. It is written after the status lines, so it may lag
   behind what is recorded and never leads. It counts for the same source, unchanged, with the same options; otherwise, or
   with `from_start`, every row is read again, and what was registered is recognised as known.
3. Resuming cuts the status file to the lines that the progress counts, which a killed run may have gone beyond.
4. One run at a time adds to a data set.
"""

import fcntl
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from services.ingest.bulk.pipeline import BulkResult, RowOutcome, register_rows
from services.ingest.sources.source import Source, SourceOptions
from shared.canonical import canonical_json, sha256_hex
from shared.errors import InputError, UnavailableError
from shared.files import save_atomically, sync_folder
from shared.records.items import count_shared_blobs
from shared.workspace import Workspace

# Most file systems take names of 255 bytes; the endings need some of them.
MAX_NAME_BYTES = 200

Counts = dict[str, int]


@dataclass(frozen=True)
class RunResult:
    """What a run did: its own rows, how the rows of an earlier, unfinished run came out, and where all of them are told."""

    rows: BulkResult
    earlier: Counts
    shared_blobs: int
    status_path: Path

    @property
    def is_complete(self) -> bool:
        """Say whether no row was refused, in this run or the one that it continued."""
        return not self.rows.bad and not self.earlier.get("refused")

    @property
    def is_empty(self) -> bool:
        """Say whether there was nothing to register: no row that is a picture, or was meant to be one."""
        rows = self.rows.created + self.rows.known + self.rows.refused
        return not rows and not sum(count for state, count in self.earlier.items() if state != "no_picture")


@dataclass
class _Progress:
    """How far a run is: counts by state, and how long the status file is at that point."""

    source_sha256: str
    counts: Counter[str]
    status_bytes: int = 0

    @property
    def done(self) -> int:
        """Rows done."""
        return self.counts.total()

    def dump(self) -> bytes:
        """Write it as JSON."""
        content = {"source_sha256": self.source_sha256, "counts": dict(self.counts), "status_bytes": self.status_bytes}
        return json.dumps(content).encode() + b"\n"


def add_source(
    workspace: Workspace,
    source: Source,
    options: SourceOptions,
    report_progress: Callable[[int], None] = lambda _count: None,
    *,
    from_start: bool = False,
) -> RunResult:
    """Register every row of a source, from where an interrupted run of it stopped.

    Args:
        workspace: where to.
        source: what to register.
        options: what the source was opened with.
        report_progress: called with the number of rows of the earlier run, then with that of each batch.
        from_start: read every row again.

    Raises:
        InputError: the source cannot be read, or the data set's name is too long for a file.
        UnavailableError: another run adds to this data set, or the database is down.
    """
    status_path = status_path_of(workspace, options.dataset)
    progress_path = status_path.with_name(status_path.name.replace(".status.jsonl", ".progress.json"))
    with _locked(status_path) as status:
        progress = _resume(progress_path, status, _digest(source, options), from_start=from_start)
        earlier = dict(progress.counts)
        report_progress(progress.done)

        def keep(outcomes: Sequence[RowOutcome]) -> None:
            status.write(b"".join(map(_status_line, outcomes)))
            status.flush()
            os.fsync(status.fileno())
            progress.counts.update(outcome.state for outcome in outcomes)
            progress.status_bytes = status.tell()
            save_atomically(progress_path, progress.dump())

        rows = register_rows(workspace, source.rows(progress.done), report_progress, keep)
        progress_path.unlink(missing_ok=True)
        sync_folder(progress_path.parent)
    with workspace.reading() as session:
        return RunResult(rows, earlier, count_shared_blobs(session, options.dataset), status_path)


def status_path_of(workspace: Workspace, dataset: str) -> Path:
    """Return where the outcome of each row of a data set is kept.

    Raises:
        InputError: the name is too long for a file.
    """
    name = quote(dataset, safe=" ")
    if len(name) > MAX_NAME_BYTES:
        raise InputError(f"expected a data set name of at most {MAX_NAME_BYTES} bytes, got {len(name)}", code="name_invalid")
    return workspace.home / "ingest" / f"{name}.status.jsonl"


def _digest(source: Source, options: SourceOptions) -> str:
    """Digest what makes two runs read the same rows: the source's kind, its files' names, sizes and times, the options."""
    files = [(str(path.resolve()), path.stat()) for path in source.files()]
    parts: dict[str, Any] = {
        "kind": source.kind,
        "files": [[name, stat.st_size, str(stat.st_mtime_ns)] for name, stat in files],
        "options": {
            "dataset": options.dataset,
            "acquirer": options.acquirer,
            "licence": options.licence,
            "read_pages": options.read_pages,
        },
    }
    return sha256_hex(canonical_json(parts))


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnavailableError("another run adds to this data set; wait for its end", code="dataset_busy") from error
        yield file


def _resume(path: Path, status: BinaryIO, source_sha256: str, *, from_start: bool) -> _Progress:
    progress = None if from_start else _load_progress(path)
    length = status.seek(0, os.SEEK_END)
    if progress is None or progress.source_sha256 != source_sha256 or progress.status_bytes > length:
        # Every row is read again: slower, and never less than what a resumed run records.
        path.unlink(missing_ok=True)
        progress = _Progress(source_sha256, Counter())
    status.truncate(progress.status_bytes)
    status.seek(progress.status_bytes)
    return progress


def _load_progress(path: Path) -> _Progress | None:
    try:
        content = json.loads(path.read_bytes())
        return _Progress(content["source_sha256"], Counter(content["counts"]), int(content["status_bytes"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged; remove it, or run with --from-start", code="progress_damaged") from error


def _status_line(outcome: RowOutcome) -> bytes:
    line = {
        "row": outcome.key,
        "state": outcome.state,
        "item": outcome.item_id,
        "code": outcome.error.code if outcome.error else None,
        "message": outcome.error.message if outcome.error else None,
    }
    return json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
