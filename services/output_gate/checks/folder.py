"""Checking a folder: every image in it, with a line of a results file for each, and going on where a killed run was.

Rules, in order:

1. The results file is JSON Lines, a line a file: path, digest, decision, reason and check; or the code of why it was refused.
   A line is durable before the next files are begun.
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
from shared.ids import new_id
from shared.records.checks import Check
from shared.records.models import Model

# By suffix, as users name pictures; what a file is shows when it is decoded.
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
REFUSED = "refused"
# Files decided together; what a kill can make undone is their lines, never their decisions.
STEP_FILES = 16


@dataclass(frozen=True)
class FolderRun:
    """One run over a folder: which files are left, and what became of those before them."""

    folder: Path
    results: Path
    run_id: str
    remaining: tuple[str, ...]
    finished: tuple[dict[str, Any], ...]


@contextmanager
def open_run(folder: Path, results: Path, model: Model) -> Iterator[FolderRun]:
    """Begin a run, or go on with one; nobody else writes to the results meanwhile.

    Raises:
        InputError: the folder is none, or has no images.
        ConflictError: another run writes to the results, or they are of another model.
        CorruptStateError: the results are not what a run wrote.
    """
    paths = list_images(folder)
    if not paths:
        raise InputError(f"expected images ({', '.join(SUFFIXES)}) in {folder}, got none", code="folder_empty")
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(f"another run writes to {results}", code="results_in_use") from error
        finished = _read_results(file, results, model)
        done = {line["file"] for line in finished}
        remaining = tuple(path for path in paths if path not in done)
        yield FolderRun(folder, results, _load_run_id(results), remaining, tuple(finished))
        _beside(results).unlink(missing_ok=True)


def list_images(folder: Path) -> list[str]:
    """Return the paths of a folder's images, below it, sorted.

    Raises:
        InputError: it is no folder.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder, got {folder}", code="folder_missing")
    images = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in images)


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
            out.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            out.flush()
            os.fsync(out.fileno())
            on_lines(lines)


def _check_step(gate: Gate, model: Model, run: FolderRun, step: Sequence[str]) -> list[dict[str, Any]]:
    lines: dict[str, dict[str, Any]] = {}
    readable: list[tuple[str, bytes]] = []
    for path in step:
        try:
            readable.append((path, (run.folder / path).read_bytes()))
        except OSError as error:
            lines[path] = _refused(model, path, None, "file_unreadable", error.strerror or "cannot be read")
    slots = [_build_slot(run, model, path, data) for path, data in readable]
    outcomes = check_into_slots(gate, model, [data for _, data in readable], slots)
    for (path, data), outcome in zip(readable, outcomes, strict=True):
        digest = sha256_hex(data)
        if isinstance(outcome, SleeveError):
            lines[path] = _refused(model, path, digest, outcome.code, outcome.message)
        else:
            lines[path] = _decided(model, path, digest, outcome)
    return [lines[path] for path in step]


def _build_slot(run: FolderRun, model: Model, path: str, data: bytes) -> KeySlot:
    digest = sha256_hex(canonical_json({"model": model.id, "path": path, "image": sha256_hex(data)}))
    return KeySlot(f"folder/{run.run_id}/{digest}", digest)


def _decided(model: Model, path: str, digest: str, check: Check) -> dict[str, Any]:
    result = read_result(check)
    match = result.matches[0].model_dump(include={"id", "dataset", "source_key", "licence"}) if result.matches else None
    figures = result.model_dump(include={"rule", "score", "threshold", "p_value", "policy"})
    line = {"file": path, "sha256": digest, "model": model.id, "decision": check.decision, "reason": result.reason}
    return line | {"check": check.id, "match": match, "kind": result.kind} | figures


def _refused(model: Model, path: str, digest: str | None, code: str, detail: str) -> dict[str, Any]:
    line = {"file": path, "sha256": digest, "model": model.id, "decision": REFUSED, "reason": code}
    return line | {"check": None, "detail": detail}


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
