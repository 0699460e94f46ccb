"""Reading of files that strangers name or put into folders: regular files only, so that no pipe or device is waited for.

Rules, in order:

1. A file is opened without waiting for a pipe's other end, and looked at once it is open: what its name means may change.
2. A pipe, a socket or a device is an `InputError`. What the system says of other files is its `OSError`.
"""

import os
import stat
from io import BufferedReader
from pathlib import Path

from shared.errors import InputError

_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading.

    Raises:
        InputError: it is a pipe, a socket or a device.
        OSError: it cannot be opened; a folder among them.
    """
    file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - given to the caller
    kind = stat.S_IFMT(os.fstat(file.fileno()).st_mode)
    if kind != stat.S_IFREG:
        file.close()
        raise _not_regular(path, kind)
    return file


def require_regular(path: Path) -> None:
    """Refuse what is neither a regular file nor a folder, for a library that opens files by itself.

    Raises:
        InputError: it is a pipe, a socket or a device.
        OSError: there is nothing.
    """
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind not in {stat.S_IFREG, stat.S_IFDIR}:
        raise _not_regular(path, kind)


def _not_regular(path: Path, kind: int) -> InputError:
    got = _KINDS.get(kind, "something else")
    return InputError(f"{path} cannot be read: expected a regular file, got {got}", code="file_not_regular")


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
