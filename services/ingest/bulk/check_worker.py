"""A process that checks rows, so that a hostile image costs this process and nothing else; `check_pool` is its other end.

Rules, in order:

1. It reads a frame from its standard input and answers with one on its standard output. At the end of the input, which comes
   with the end of the process that started it, however that one ends, it ends.
2. Each row has its share of processor time, by the kernel's clock for this process and not by the wall's: a busy machine
   fails no image. Over it, the kernel ends the process, in the middle of a decoder if need be.
3. The bytes of the rows found good are durable before the answer.
4. It receives pickles, from the process that started it, and answers in JSON. An image that took this process over could
   still not make the other one run anything.
"""

import json
import os
import pickle
import signal
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import structlog

from services.ingest.items.schemas import PresumedOwner, Registration
from services.ingest.registration.embedded_owners import with_embedded_owners
from services.ingest.registration.preparation import BlobFacts, PreparedItem, check_item
from services.ingest.signals.embedded_metadata import OwnerSuggestion
from services.ingest.signals.signal import Signal
from shared.blobs import BlobStore
from shared.errors import InputError, UnavailableError
from shared.vision.image_limits import ImageLimits

log = structlog.get_logger()

# Our own bound: a picture of 50 million pixels, the most that is accepted by default, takes under a second; a progressive JPEG
# of as many, which is decoded twice, took 1.6 (14 MB of noise).
CHECK_SECONDS = 4.0
# The signal of a timer on processor time; nobody handles it, so it ends the process (POSIX.1-2017, setitimer).
OVERTIME_SIGNAL = signal.SIGPROF
# A frame is its length in 8 bytes, then that many bytes.
_LENGTH = struct.Struct("<Q")

# A row as the worker is given it: its record, its bytes, and the rights signals that came with them.
UncheckedRow = tuple[Registration, bytes, tuple[Signal, ...]]


@dataclass(frozen=True)
class Setup:
    """The first message to a worker: what an image may cost, in processor time too, and where its bytes go."""

    limits: ImageLimits
    blob_folder: Path
    check_seconds: float = CHECK_SECONDS


def write_frame(stream: BinaryIO, data: bytes) -> None:
    """Send one frame."""
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes | None:
    """Receive one frame; None where the stream has ended."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    return data if len(data) == length else None


def check_rows(
    rows: Sequence[UncheckedRow],
    limits: ImageLimits,
    blobs: BlobStore,
    limit_time: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> list[PreparedItem | InputError]:
    """Check rows one by one and store the bytes of the good ones, durable on return.

    Args:
        rows: what to check.
        limits: what an image may cost.
        blobs: where the bytes go.
        limit_time: what each check runs in.

    Raises:
        OSError: the bytes cannot be stored.
    """
    results: list[PreparedItem | InputError] = []
    for row in rows:
        with limit_time():
            results.append(_check(row, limits))
    blobs.save_many([data for (_, data, _), result in zip(rows, results, strict=True) if isinstance(result, PreparedItem)])
    return results


def _check(row: UncheckedRow, limits: ImageLimits) -> PreparedItem | InputError:
    registration, data, signals = row
    try:
        return check_item(registration, data, limits, source_signals=signals)
    except InputError as error:
        return InputError(error.message, code=error.code)  # without the frames it was raised in, which hold the bytes
    except Exception as error:  # One row never decides for another, whatever its bytes do to a reader.
        log.exception("row_check_failed", source_key=registration.source_key)
        return InputError(f"image cannot be checked: {type(error).__name__}", code="image_undecodable")


def dump_answer(results: Sequence[PreparedItem | InputError]) -> bytes:
    """Write what became of rows as JSON; the records are left out, since the reader has them."""
    return json.dumps([_dump(result) for result in results]).encode()


def _dump(result: PreparedItem | InputError) -> dict[str, Any]:
    if isinstance(result, InputError):
        return {"code": result.code, "message": result.message}
    signals = [{**vars(signal), "observed_at": signal.observed_at.isoformat()} for signal in result.signals]
    suggestions = [{**vars(suggestion), "owner": suggestion.owner.model_dump()} for suggestion in result.suggestions]
    return {
        "blob": vars(result.blob),
        "record": result.record_sha256,
        "licence": result.licence,
        "signals": signals,
        "suggestions": suggestions,
    }


def load_answer(data: bytes, registrations: Sequence[Registration]) -> list[PreparedItem | InputError]:
    """Read an answer to rows of these records.

    Raises:
        UnavailableError: the worker could not store the bytes.
    """
    answer = json.loads(data)
    if isinstance(answer, dict):
        raise UnavailableError(f"bytes cannot be stored: {answer['failed']}", code="storage_failed")
    return [_load(result, registration) for result, registration in zip(answer, registrations, strict=True)]


def _load(row_answer: dict[str, Any], registration: Registration) -> PreparedItem | InputError:
    if "code" in row_answer:
        return InputError(row_answer["message"], code=row_answer["code"])
    signals = tuple(
        Signal(**{**signal, "observed_at": datetime.fromisoformat(signal["observed_at"])}) for signal in row_answer["signals"]
    )
    suggestions = tuple(
        OwnerSuggestion(**{**suggestion, "owner": PresumedOwner(**suggestion["owner"])})
        for suggestion in row_answer["suggestions"]
    )
    record = with_embedded_owners(registration, suggestions)
    blob, digest, licence = BlobFacts(**row_answer["blob"]), row_answer["record"], row_answer["licence"]
    return PreparedItem(record, blob, digest, licence, signals, suggestions, registration)


@contextmanager
def _time_limit(limit_seconds: float) -> Iterator[None]:
    signal.setitimer(signal.ITIMER_PROF, limit_seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _answer(rows: Sequence[UncheckedRow], setup: Setup, blobs: BlobStore) -> bytes:
    try:
        limit_time = partial(_time_limit, setup.check_seconds)
        return dump_answer(check_rows(rows, setup.limits, blobs, limit_time))
    except OSError as error:
        return json.dumps({"failed": str(error)}).encode()


def main() -> None:
    """Serve one parent until it closes the pipe; the first frame is the `Setup`."""
    # Ctrl-C reaches every process of a terminal; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints shall not stand between two frames.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    first = read_frame(questions)
    if first is None:
        return
    setup: Setup = pickle.loads(first)  # noqa: S301 - rule 4
    blobs = BlobStore(setup.blob_folder)
    while (frame := read_frame(questions)) is not None:
        answer = _answer(pickle.loads(frame), setup, blobs)  # noqa: S301 - rule 4
        try:
            write_frame(answers, answer)
        except BrokenPipeError:
            os._exit(0)  # rule 1: nobody is left to answer, and closing the pipe would only say so again


if __name__ == "__main__":
    main()
