"""Checking a folder: every file in it, with a line of a results file for each, and going on where a killed run was.

Rules, in order:

1. The results file is JSON Lines, a line a file: path, digest, decision, reason and check; or the code of why it was refused.
   Every file below the folder has one, whatever its name says (`shared.folder_listing`): its bytes say what it is. A line is
   durable before the next files are begun.
2. A file that has a line is finished. What was decided and has no line yet is not decided again: each file's check is bound
   to the run, the path and the bytes; the run's id stands beside the results until it is finished.
3. One run writes to a results file at a time. Half a line at its end, of a killed run, is cut off.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from services.output_gate.checks.admission import KeySlot
from services.output_gate.checks.service import check_into_slots
from services.output_gate.gate import Gate
from services.output_gate.results.recorded import read_result
from shared.canonical import canonical_json, sha256_hex
from shared.errors import ConflictError, CorruptStateError, InputError, SleeveError
from shared.files import save_atomically
from shared.folder_listing import ListedFile, list_files
from shared.ids import new_id
from shared.records.checks import Check
from shared.records.models import Model

REFUSED = "refused"
# First bytes by which an archive is told: ZIP, gzip, bzip2, xz, Zstandard, 7-Zip, RAR.
_ARCHIVES = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"),
    *(b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07"),
)
# Files decided together; what a kill can make undone is their lines, never their decisions.
STEP_FILES = 16


@dataclass(frozen=True)
class FolderRun:
    """One run over a folder: which files are left, and what became of those before them."""

    folder: Path
    results: Path
    run_id: str
    remaining: tuple[ListedFile, ...]
    finished: tuple[dict[str, Any], ...]


@contextmanager
def open_run(folder: Path, results: Path, model: Model) -> Iterator[FolderRun]:
    """Begin a run, or go on with one; nobody else writes to the results meanwhile.

    Raises:
        InputError: the folder is none, or has no files.
        ConflictError: another run writes to the results, or they are of another model.
        CorruptStateError: the results are not what a run wrote.
    """
    files = list_files(folder, without=(results, _beside(results)))
    if not files:
        raise InputError(f"expected images in {folder}, got no file", code="folder_empty")
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(f"another run writes to {results}", code="results_in_use") from error
        finished = _read_results(file, results, model)
        done = {line["file"] for line in finished}
        remaining = tuple(file for file in files if file.path not in done)
        yield FolderRun(folder, results, _load_run_id(results), remaining, tuple(finished))
        _beside(results).unlink(missing_ok=True)


def check_files(gate: Gate, model: Model, run: FolderRun, on_lines: Callable[[Sequence[dict[str, Any]]], None]) -> None:
    """Check what is left of a folder.

    Args:
        gate: index, policy and workspace.
        model: which model made the images.
        run: an open run.
        on_lines: called with each step's lines once they are durable.

    Raises:
        UnavailableError: the database is down; the run goes on when it is started again.
    """
    remaining = iter(run.remaining)
    with run.results.open("a", encoding="utf-8") as out:
        while step := list(islice(remaining, STEP_FILES)):
            lines = _check_step(gate, model, run, step)
            out.writelines(_write_line(line) for line in lines)
            out.flush()
            os.fsync(out.fileno())
            on_lines(lines)


def _check_step(gate: Gate, model: Model, run: FolderRun, step: Sequence[ListedFile]) -> list[dict[str, Any]]:
    lines: dict[str, dict[str, Any]] = {}
    readable: list[tuple[str, bytes]] = []
    for file in step:
        try:
            readable.append((file.path, _read(run.folder, file, gate.workspace.limits.max_bytes)))
        except InputError as error:
            lines[file.path] = _refused(model, file.path, None, error)
    slots = [_build_slot(run, model, path, data) for path, data in readable]
    outcomes = check_into_slots(gate, model, [data for _, data in readable], slots)
    for (path, data), outcome in zip(readable, outcomes, strict=True):
        digest = sha256_hex(data)
        if isinstance(outcome, SleeveError):
            lines[path] = _refused(model, path, digest, outcome)
        else:
            lines[path] = _decided(model, path, digest, outcome)
    return [lines[file.path] for file in step]


def _read(folder: Path, file: ListedFile, max_bytes: int) -> bytes:
    """Read a file that was listed.

    Raises:
        InputError: it is named and not read, cannot be read, is too large, or an archive.
    """
    if file.problem is not None:
        raise file.problem
    path = folder / file.path
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= max_bytes else b""
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", code="file_unreadable") from error
    if size > max_bytes:
        detail = f"image file too large: expected at most {max_bytes:,} bytes, got {size:,}"
        raise InputError(detail, code="image_too_large")
    verify_no_archive(data)
    return data


def verify_no_archive(data: bytes) -> None:
    """Refuse an archive: its pictures would not be looked at.

    Raises:
        InputError: the bytes are a ZIP, tar, gzip, bzip2, xz, Zstandard, 7-Zip or RAR archive.
    """
    if data.startswith(_ARCHIVES) or data[257:262] == b"ustar":
        raise InputError("archives are not looked into: unpack it, and check the folder", code="archive_not_read")


def _write_line(line: dict[str, Any]) -> str:
    """Write a line; a name that is no UTF-8 is escaped as Python holds it."""
    text = json.dumps(line, ensure_ascii=False)
    return (text if text.isprintable() else json.dumps(line)) + "\n"


def _build_slot(run: FolderRun, model: Model, path: str, data: bytes) -> KeySlot:
    # A name that is no UTF-8 has no canonical form; its bytes in hexadecimal have, and no name in UTF-8 begins with "/".
    name = path if path.isprintable() else f"/{os.fsencode(path).hex()}"
    digest = sha256_hex(canonical_json({"model": model.id, "path": name, "image": sha256_hex(data)}))
    return KeySlot(f"folder/{run.run_id}/{digest}", digest)


def _decided(model: Model, path: str, digest: str, check: Check) -> dict[str, Any]:
    result = read_result(check)
    match = result.matches[0].model_dump(include={"id", "dataset", "source_key", "licence"}) if result.matches else None
    figures = result.model_dump(include={"rule", "score", "threshold", "p_value", "policy"})
    line = {"file": path, "sha256": digest, "model": model.id, "decision": check.decision, "reason": result.reason}
    return line | {"check": check.id, "match": match, "kind": result.kind} | figures


def _refused(model: Model, path: str, digest: str | None, error: SleeveError) -> dict[str, Any]:
    line = {"file": path, "sha256": digest, "model": model.id, "decision": REFUSED, "reason": error.code}
    return line | {"check": None, "detail": error.message}


def _read_results(file: TextIO, path: Path, model: Model) -> list[dict[str, Any]]:
    file.seek(0)
    text = file.read()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        os.truncate(path, len(whole.encode()))
    try:
        lines = [json.loads(line) for line in whole.splitlines()]
        others = {line["model"] for line in lines} - {model.id}
        files = [line["file"] for line in lines]
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptStateError(f"{path} is no results file of a run; name another one", code="results_damaged") from error
    if others:
        raise ConflictError(f"{path} holds results of another model; name another file", code="results_of_another_model")
    if len(set(files)) < len(files):
        raise CorruptStateError(f"{path} names a file twice", code="results_damaged")
    return lines


def _beside(results: Path) -> Path:
    return results.with_name(results.name + ".run")


def _load_run_id(results: Path) -> str:
    """Return the id of the run that a kill interrupted, or begin one; durable on return."""
    beside = _beside(results)
    if not beside.exists():
        save_atomically(beside, new_id().encode())
    return beside.read_text(encoding="utf-8").strip()
