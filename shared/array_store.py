"""Arrays that are computed once, stored as files and memory-mapped: projections, which can always be built again.

Rules, in order:

1. A stored array is `<name>.npy` with its content's digest beside it. It is read in full once, when it is loaded, and held
   against the digest. Where the two disagree it is built again.
2. From then on its stamp (file, size, time of change) tells, at the cost of one look, whether anyone has written to it. What a
   disk alters without a write is found at the next load.
3. It is built in blocks, each written with its digest before the next is made. Memory holds one block, and a build that was
   stopped goes on behind its last whole block.
4. One process builds at a time. Another waits and then finds the array built.
"""

import fcntl
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.files import save_atomically, sync_folder

# Rows a block: views of 64 px take 12 MB, descriptors 1 MB.
BLOCK_ROWS = 1024
READ_BYTES = 1 << 20

ProgressCallback = Callable[[int, int], None]
MakeBlock = Callable[[int, int], NDArray[Any]]
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class ArrayPlan:
    """How an array is built: its shape, its type, and a function that makes the rows from one number to another."""

    shape: tuple[int, ...]
    dtype: str
    make_block: MakeBlock


@dataclass(frozen=True)
class StoredArray:
    """An array on disk.

    Attributes:
        rows: memory-mapped, read-only.
        sha256: digest of its shape and content.
        path: its file.
        stamp: of the file when it was held against the digest.
    """

    rows: NDArray[Any]
    sha256: str
    path: Path
    stamp: Stamp

    @property
    def is_untouched(self) -> bool:
        """Whether the file is still the one that was read."""
        try:
            return _stamp(self.path) == self.stamp
        except OSError:
            return False


def digest_rows(rows: NDArray[Any]) -> str:
    """Digest an array's shape and content, row after row.

    >>> digest_rows(np.zeros((2, 2), np.uint8)) == digest_rows(np.zeros((4, 1), np.uint8))
    False
    """
    digest = _begin(rows.shape)
    for start in range(0, len(rows), BLOCK_ROWS):
        digest.update(np.ascontiguousarray(rows[start : start + BLOCK_ROWS]).data.cast("B"))
    return str(digest.hexdigest())


def load_or_build(path: Path, plan: ArrayPlan, report_progress: ProgressCallback | None = None) -> StoredArray:
    """Return a stored array, building it where it is missing or no longer matches its digest.

    Args:
        path: `<name>.npy`; its folder is made where it is missing. The name says of what the array is made.
        plan: what it is to be; at least one row.
        report_progress: called with (rows done, rows in all) after each block that is built.
    """
    array = load_stored(path, plan)
    if array is not None:
        return array
    path.parent.mkdir(parents=True, exist_ok=True)
    with _one_builder(path.with_suffix(".lock")):
        array = load_stored(path, plan)
        if array is None:
            _build(path, plan, report_progress or (lambda _done, _all: None))
            array = load_stored(path, plan)
    if array is None:
        raise OSError(f"{path.name} does not read back as it was written")
    return array


def load_stored(path: Path, plan: ArrayPlan) -> StoredArray | None:
    """Return a stored array, or None where it is missing or does not match its digest; reads all of it."""
    try:
        # Before reading: what is written meanwhile changes the stamp.
        stamp, stated = _stamp(path), _digest_path(path).read_text(encoding="ascii")
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
        if rows.shape != plan.shape or rows.dtype != plan.dtype or _digest_file(path, rows) != stated:
            return None
    # numpy parses a damaged header with tokenize, whose error is of its own class from Python 3.12 on.
    except (OSError, ValueError, EOFError, TokenError):
        return None
    return StoredArray(rows, stated, path, stamp)


def _build(path: Path, plan: ArrayPlan, report_progress: ProgressCallback) -> None:
    part, progress = path.with_suffix(".part"), path.with_suffix(".progress")
    header = _header(plan)
    digest = _begin(plan.shape)
    row_bytes = np.dtype(plan.dtype).itemsize * int(np.prod(plan.shape[1:], dtype=np.int64))
    with part.open("r+b" if part.exists() else "w+b") as file, progress.open("a+", encoding="ascii") as lines:
        done = _take_up(file, lines, header, row_bytes, digest)
        # A disk that cannot hold it is found now and not after hours.
        os.posix_fallocate(file.fileno(), 0, len(header) + plan.shape[0] * row_bytes)
        for start in range(done, plan.shape[0], BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, plan.shape[0])
            block = np.ascontiguousarray(plan.make_block(start, stop), dtype=plan.dtype)
            if block.shape != (stop - start, *plan.shape[1:]):
                raise ValueError(f"{path.name}: expected {(stop - start, *plan.shape[1:])}, got {block.shape}")
            data = block.data.cast("B")
            file.write(data)
            file.flush()
            lines.write(json.dumps([stop, hashlib.sha256(data).hexdigest()]) + "\n")
            lines.flush()
            digest.update(data)
            report_progress(stop, plan.shape[0])
        file.flush()
        os.fsync(file.fileno())
    save_atomically(_digest_path(path), digest.hexdigest().encode())
    part.replace(path)
    progress.unlink()
    sync_folder(path.parent)


def _take_up(file: Any, lines: Any, header: bytes, row_bytes: int, digest: Any) -> int:
    """Keep the whole blocks that an earlier build left and cut off the rest; return how many rows they are."""
    lines.seek(0)
    file.seek(0)
    done = 0
    whole_blocks: list[str] = []
    if file.read(len(header)) == header:
        for stop, stated in _read_progress(lines):
            data = file.read((stop - done) * row_bytes)
            if len(data) != (stop - done) * row_bytes or hashlib.sha256(data).hexdigest() != stated:
                break
            digest.update(data)
            done = stop
            whole_blocks.append(json.dumps([stop, stated]) + "\n")
    file.seek(0)
    file.write(header)
    file.truncate(len(header) + done * row_bytes)
    file.seek(0, os.SEEK_END)
    # Written anew: what follows a torn line would not be read.
    lines.truncate(0)
    lines.writelines(whole_blocks)
    lines.flush()
    return done


def _read_progress(lines: Any) -> Iterator[tuple[int, str]]:
    try:
        yield from ((int(stop), str(stated)) for stop, stated in map(json.loads, lines))
    except (ValueError, TypeError):
        return


def _header(plan: ArrayPlan) -> bytes:
    header = io.BytesIO()
    description = {"descr": np.lib.format.dtype_to_descr(np.dtype(plan.dtype)), "fortran_order": False, "shape": plan.shape}
    np.lib.format.write_array_header_1_0(header, description)
    return header.getvalue()


def _begin(shape: tuple[int, ...]) -> Any:
    return hashlib.sha256(str(tuple(shape)).encode())


def _digest_file(path: Path, rows: NDArray[Any]) -> str:
    """Digest a file's content as `digest_rows` does, without mapping its pages into this process."""
    digest = _begin(rows.shape)
    with path.open("rb") as file:
        file.seek(path.stat().st_size - rows.nbytes)
        while block := file.read(READ_BYTES):
            digest.update(block)
    return str(digest.hexdigest())


def _digest_path(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def _one_builder(path: Path) -> Iterator[None]:
    with path.open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
