"""Files written so that a reader, or a crash, never meets half of one.

Rules, in order:

1. A file is written under a temporary name in its own folder, made durable (fsync), and only then renamed into place.
2. Folders that got a new name are made durable before the call returns, each of them once.
3. A file gets the permissions that the process's umask gives any file: others may read what they are meant to read.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# What a killed writer leaves behind begins so; no finished file does. `shared.stale_files` removes it.
TEMPORARY_PREFIX = ".new-"
# How many fsyncs wait at once. A journalling file system commits them in groups: on ext4 16 reached 40 to 60 times the
# rate of one after the other, 64 no more than 16.
SYNCS_AT_ONCE = 16


def save_atomically(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, make it durable, and rename it into place; folders are made as needed."""
    touched = _make_folder(path.parent)
    temporary = path.parent / _temporary_name()
    try:
        _write_durably(str(temporary), data)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    for folder in (path.parent, *touched):
        sync_folder(folder)


def save_all_atomically(files: Mapping[str, bytes]) -> None:
    """Write many files as `save_atomically` does, waiting for the disk together; all are durable on return.

    Args:
        files: content by path, each with its folder; the folders are made as needed.

    Raises:
        OSError: a file could not be written; the others of the call may or may not be there, each of them whole.
    """
    if not files:
        return
    folders = {path.rpartition("/")[0] for path in files}
    touched = {Path(folder) for folder in folders}.union(*(_make_folder(Path(folder)) for folder in folders))
    temporaries = {f"{path.rpartition('/')[0]}/{_temporary_name()}": path for path in files}
    try:
        with ThreadPoolExecutor(SYNCS_AT_ONCE, thread_name_prefix="sync") as pool:
            list(pool.map(_write_share, _deal([(temporary, files[path]) for temporary, path in temporaries.items()])))
            for temporary, path in temporaries.items():
                os.rename(temporary, path)  # noqa: PTH104 - strings, see BlobStore.save_many
            list(pool.map(sync_folder, touched))
    except BaseException:
        for temporary in temporaries:
            Path(temporary).unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _temporary_name() -> str:
    # The process's id tells whether the writer is still at it.
    return f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(8)}"


def _deal(files: Sequence[tuple[str, bytes]]) -> list[Sequence[tuple[str, bytes]]]:
    """Give each thread its share at once: handing over one file at a time would cost more than writing it."""
    return [share for first in range(SYNCS_AT_ONCE) if (share := files[first::SYNCS_AT_ONCE])]


def _write_share(files: Sequence[tuple[str, bytes]]) -> None:
    for path, data in files:
        _write_durably(path, data)


def _write_durably(path: str, data: bytes) -> None:
    # Few calls a file: between each two of them, threads that write together wait for each other.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _make_folder(folder: Path) -> set[Path]:
    """Make a folder and its parents; return those that got a new name in them, which are still to be synced."""
    if folder.is_dir():
        return set()
    touched = _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    return touched | {folder.parent}
