"""Removal of unfinished files whose writers were killed.

Rules, in order:

1. Only files whose name has the exact form that `shared.files` gives are looked at. Links are not followed.
2. A file whose writer lives on this machine stays, however old: the name has the process's id. Where that id was given to
   another process since, the file stays until that process ends, too.
3. A file younger than the given age stays: its writer may live on another machine, or in another container.
4. At worst a removed file belongs to a writer that then fails to rename it and reports an error. Nothing that was acknowledged
   is ever under such a name.
"""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.files import TEMPORARY_PREFIX

# A batch is written and renamed within seconds; even a stalled network disk is done within this.
SAFE_AGE_SECONDS = 3600.0

# What `shared.files` makes, and made before names had process ids.
_NAME = re.compile(rf"{re.escape(TEMPORARY_PREFIX)}(?:(?P<process>[1-9]\d*)-)?[0-9a-f]{{16}}", re.ASCII)


@dataclass(frozen=True)
class Leftovers:
    """What was removed, and how many files were left to writers that may live."""

    removed: int
    removed_bytes: int
    left: int


def remove_leftovers(folder: Path, older_than_seconds: float = SAFE_AGE_SECONDS) -> Leftovers:
    """Remove the unfinished files below a folder whose writers are gone.

    Args:
        folder: looked through with all folders in it; one that is not there holds nothing.
        older_than_seconds: since a file was last written to.

    Raises:
        OSError: a folder cannot be read, or a file not be removed.
    """
    removed = removed_bytes = left = 0
    for entry, process_id in _find(str(folder)):
        try:
            facts = entry.stat(follow_symlinks=False)
            if time.time() - facts.st_mtime < older_than_seconds or (process_id is not None and _is_alive(process_id)):
                left += 1
                continue
            Path(entry.path).unlink()
        except FileNotFoundError:
            continue  # its writer has just finished it, or somebody else tidies as well
        removed, removed_bytes = removed + 1, removed_bytes + facts.st_size
    return Leftovers(removed, removed_bytes, left)


def _find(folder: str) -> Iterator[tuple[os.DirEntry[str], int | None]]:
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _find(entry.path)
            elif (match := _NAME.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False):
                yield entry, int(match["process"]) if match["process"] else None


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # somebody else's
    return True
