"""Folders that appear whole or not at all, and that one process at a time writes into.

Rules, in order:

1. A folder is filled under a temporary name beside its target, made durable (fsync), then renamed.
2. What a killed writer left behind carries the temporary prefix; `remove_unfinished` deletes it.
3. A lock on a folder dies with the process that holds it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import UnavailableError
from shared.files import sync_folder

# The prefix that `shared.files.save_atomically` gives its temporary files too.
UNFINISHED_PREFIX = ".new-"


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes `target`, replacing one there, when the block ends without error."""
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=UNFINISHED_PREFIX))
    try:
        yield temporary
        for path in temporary.rglob("*"):
            sync_folder(path)
        sync_folder(temporary)
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(target.parent)


def remove_unfinished(folder: Path) -> None:
    """Delete what killed writers left in a folder; the caller holds its lock."""
    for path in folder.glob(f"{UNFINISHED_PREFIX}*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a folder, made where it is missing, for this process alone.

    Raises:
        UnavailableError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder.name)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, name: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UnavailableError(
            f"expected folder {name!r} to be free, got one that another process writes", code="folder_busy"
        ) from error
