"""Rows checked in processes of their own, several at once, each row either found good or refused.

Rules, in order:

1. Rows go out in chunks; a worker (`check_worker`) has one at a time. Its bytes are durable before its answer is taken.
2. Where a worker ends in the middle of a chunk, the rows of the chunk are checked one at a time by another. A row that ends
   that one as well is refused: as too slow if the kernel stopped the clock, else as one that no decoder survives. A row alone
   gets a second worker first, since somebody else may have killed the first.
3. A few small images are checked in this process: starting another takes longer. Small means that no decoder can spend the
   time limit on them, whatever their bytes say, see `is_quick`.
4. Workers end when their pipe is closed, and so with this process, also when it is killed.
"""

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from types import TracebackType
from typing import BinaryIO, Self, cast

import structlog
from PIL import Image

from services.ingest.bulk.check_worker import (
    CHECK_SECONDS,
    OVERTIME_SIGNAL,
    Setup,
    UncheckedRow,
    check_rows,
    load_answer,
    read_frame,
    write_frame,
)
from services.ingest.registration.preparation import PreparedItem
from shared.blobs import BlobStore
from shared.errors import InputError, UnavailableError
from shared.vision.encoded_image import silence_pillow
from shared.vision.image_formats import BMP, GIF, JPEG, PNG, WEBP, recognise_image
from shared.vision.image_limits import ImageLimits

Checked = PreparedItem | InputError

# The one process that stores is busy for about as long with a row as a worker is, so more than a few wait for it.
MAX_WORKERS = 4
# Rows that are checked here rather than in another process, which takes about as long to start as these to check.
FEW_ROWS = 200
# A decoder's work grows with its passes over the pixels, and each pass of a progressive JPEG costs at least ten bytes:
# pixels × bytes / 10, at under 10 ns each, stays under a second.
QUICK_PX_BYTES = 2**30
# Reading a header alone can take long where a file is cut into empty blocks: some milliseconds for as many as fit into this.
QUICK_BYTES = 2**16
# Formats whose decoders do no more than that, and are old. The others' are left to a worker, however small the file.
QUICK_FORMATS = (PNG, JPEG, WEBP, GIF, BMP)
# A chunk ends with one or the other; small, so that all workers have something to do from the first batch on.
CHUNK_ROWS = 125
CHUNK_BYTES = 8 * 2**20

log = structlog.get_logger()


def is_quick(data: bytes) -> bool:
    """Say whether no decoder can spend long on these bytes; nothing is decoded.

    >>> is_quick(b"no image at all")
    True
    """
    image_format = recognise_image(data)
    if image_format is None or not image_format.is_read:
        return True  # and is refused as quickly
    if len(data) > QUICK_BYTES or image_format not in QUICK_FORMATS:
        return False
    try:
        silence_pillow()
        width_px, height_px = Image.open(BytesIO(data), formats=(image_format.decoder or "",)).size
    except Exception:  # Pillow states no list of what it raises of damaged files; a worker finds out what this one is.
        return False
    return width_px * height_px * len(data) <= QUICK_PX_BYTES


class WorkerEndedError(Exception):
    """A worker ended before it answered; `returncode` says how."""

    def __init__(self, returncode: int) -> None:
        super().__init__(f"worker ended with {returncode}")
        self.returncode = returncode


class CheckPool:
    """Checks rows, here or in workers that are started when they are first needed.

    Args:
        limits: what an image may cost.
        blobs: where the bytes of good rows go.
        workers: how many at most; as many as there are processors, up to a few, where not given.
        check_seconds: processor time that a row may take in a worker.
    """

    def __init__(
        self, limits: ImageLimits, blobs: BlobStore, workers: int | None = None, check_seconds: float = CHECK_SECONDS
    ) -> None:
        self._limits, self._blobs = limits, blobs
        self._setup = Setup(limits, blobs.folder.absolute(), check_seconds)
        self._threads = ThreadPoolExecutor(workers or min(os.cpu_count() or 1, MAX_WORKERS), thread_name_prefix="check")
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._all: list[_Worker] = []
        self._starting = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        with self._starting:
            self._is_closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._all:
            worker.stop()
        self._threads.shutdown()
        for worker in self._all:
            worker.close()

    def submit(self, rows: Sequence[UncheckedRow]) -> list[Future[list[Checked]]]:
        """Have rows checked.

        Returns:
            Futures of what became of the rows, chunk by chunk, in the order of the rows; their bytes are durable then.
            One raises UnavailableError where the bytes cannot be stored.
        """
        if len(rows) <= FEW_ROWS and not self._all and all(is_quick(data) for _, data, _ in rows):
            return [self._threads.submit(self._check_here, rows)]
        return [self._threads.submit(self._check, chunk) for chunk in _chunks(rows)]

    def _check_here(self, rows: Sequence[UncheckedRow]) -> list[Checked]:
        try:
            return check_rows(rows, self._limits, self._blobs)
        except OSError as error:
            raise UnavailableError(f"bytes cannot be stored: {error}", code="storage_failed") from error

    def _check(self, rows: Sequence[UncheckedRow]) -> list[Checked]:
        try:
            return self._ask(rows)
        except WorkerEndedError as error:
            log.warning("check_worker_ended", returncode=error.returncode, rows=len(rows))
        return [self._check_alone(row) for row in rows]

    def _check_alone(self, row: UncheckedRow) -> Checked:
        try:
            return self._ask([row])[0]
        except WorkerEndedError as error:
            return self._refuse(error)

    def _refuse(self, error: WorkerEndedError) -> InputError:
        if error.returncode == -OVERTIME_SIGNAL:
            limit = f"expected at most {self._setup.check_seconds:g} s of processor time, got more"
            return InputError(f"image takes too long to decode: {limit}", code="image_too_slow")
        return InputError(f"image ends the process that decodes it (status {error.returncode})", code="image_undecodable")

    def _ask(self, rows: Sequence[UncheckedRow]) -> list[Checked]:
        worker = self._take()
        answer = worker.ask(rows)  # one that ends is not put back
        self._idle.put(worker)
        return load_answer(answer, [registration for registration, _, _ in rows])

    def _take(self) -> "_Worker":
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            pass
        with self._starting:
            if self._is_closed:
                raise UnavailableError("the run was given up", code="run_stopped")
            worker = _Worker(self._setup)
            self._all = [other for other in self._all if other.is_running] + [worker]
        return worker


class _Worker:
    """One process and the pipes to it."""

    def __init__(self, setup: Setup) -> None:
        command = [sys.executable, "-m", "services.ingest.bulk.check_worker"]
        # It imports from where this process does, wherever it was started.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(  # noqa: S603 - our own module by our own interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self._questions = cast("BinaryIO", self._process.stdin)
        self._answers = cast("BinaryIO", self._process.stdout)
        self._send(pickle.dumps(setup))

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    def ask(self, rows: Sequence[UncheckedRow]) -> bytes:
        """Send rows and wait for the answer.

        Raises:
            WorkerEndedError: the process ended before it answered; it is gone then.
        """
        self._send(pickle.dumps(list(rows), protocol=pickle.HIGHEST_PROTOCOL))
        answer = read_frame(self._answers)
        if answer is None:
            raise WorkerEndedError(self._end())
        return answer

    def _send(self, frame: bytes) -> None:
        try:
            write_frame(self._questions, frame)
        except BrokenPipeError as error:
            raise WorkerEndedError(self._end()) from error

    def stop(self) -> None:
        """End the process; whoever waits for its answer is told that it ended."""
        self._process.kill()
        self._process.wait()

    def _end(self) -> int:
        self._process.kill()  # one that closed its pipe and goes on
        returncode = self._process.wait()
        self.close()
        return returncode

    def close(self) -> None:
        """Close the pipes of a process that has ended."""
        for pipe in (self._questions, self._answers):
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # of what was never sent


def _chunks(rows: Sequence[UncheckedRow]) -> list[list[UncheckedRow]]:
    chunks: list[list[UncheckedRow]] = []
    room_bytes = 0
    for row in rows:
        if not chunks or len(chunks[-1]) == CHUNK_ROWS or room_bytes <= 0:
            chunks.append([])
            room_bytes = CHUNK_BYTES
        chunks[-1].append(row)
        room_bytes -= len(row[1])
    return chunks
