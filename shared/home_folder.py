"""The home folder: only its owner reads what is in it.

Names of people, salts of commitments and pictures stand in it. So every process that opens a home takes its umask down to 077,
and a home that others may read is tightened, once: behind a folder that is closed to others, nothing is looked at again.

Source: POSIX.1-2017, umask.
"""

import os
import stat
from pathlib import Path

import structlog

OTHERS = stat.S_IRWXG | stat.S_IRWXO

log = structlog.get_logger()


def open_home_folder(home: Path) -> None:
    """Make a home, or tighten it where others may read it; what the process writes from now on is its owner's alone.

    Raises:
        OSError: the folder cannot be made.
    """
    os.umask(OTHERS)
    home.mkdir(parents=True, exist_ok=True)
    if not home.stat().st_mode & OTHERS:
        return
    tightened, refused = 0, 0
    # From the inside out: a run that is killed is repeated by the next one.
    for parent, folders, files in os.walk(home, topdown=False):
        for name in (*files, *folders):
            try:
                tightened += _tighten(Path(parent, name))
            except OSError:
                refused += 1
    try:
        _tighten(home)
    except OSError:
        refused += 1
    if refused:
        log.warning("home_open_to_others", home=str(home), refused=refused, expected="files that this user owns, mode 0700")
    if tightened:
        log.warning("home_tightened", home=str(home), changed=tightened)


def _tighten(path: Path) -> bool:
    """Take the others' permissions from a file or folder; say whether they had any. Links are left alone."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode) or not mode & OTHERS:
        return False
    path.chmod(stat.S_IMODE(mode) & ~OTHERS)
    return True
