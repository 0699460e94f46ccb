"""Image files below a folder, as sources name them.

Rules, in order:

1. A file is read only if it lies below the folder once every symbolic link is followed.
2. No more is read than one byte beyond the limit: what is too large is refused by its size, not by running out of memory.
"""

import os
import stat
from pathlib import Path

from shared.errors import InputError


class ImageFiles:
    """The images below one folder.

    Args:
        folder: what a file must lie below.
        max_bytes: no more of a file is read than one byte beyond this, where `load` names no other bound.
    """

    def __init__(self, folder: Path, max_bytes: int = 2**20) -> None:
        self._root = folder.resolve()
        self._max_bytes = max_bytes
        # Following the links of a folder anew for each of its files takes longer than reading the file.
        self._resolved: dict[Path, Path] = {}

    def load(self, name: str, max_bytes: int | None = None) -> bytes:
        """Read one image.

        Args:
            name: its path relative to the folder, with `/`.
            max_bytes: the bound for this file.

        Raises:
            InputError: the name leads out of the folder, or the file cannot be read.
        """
        path = self.find(name)
        try:
            # Opened without waiting for a pipe's other end, which may never come.
            with open(path, "rb", opener=_open_at_once) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise InputError(f"expected a regular file, got another kind: {name}", code="file_kind")
                return file.read((self._max_bytes if max_bytes is None else max_bytes) + 1)
        except (OSError, ValueError) as error:
            raise _unreadable(error) from error

    def find(self, name: str) -> Path:
        """Return where a file lies.

        Raises:
            InputError: the name leads out of the folder, or into a loop of links.
        """
        try:
            path = self._resolve(self._root / name)
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links is a RuntimeError, a NUL a ValueError
            raise _unreadable(error) from error
        if not path.is_relative_to(self._root):
            raise InputError(f"file_name leads out of the folder: {name}", code="path_outside")
        return path

    def _resolve(self, path: Path) -> Path:
        parent = self._resolved.get(path.parent)
        if parent is None:
            parent = self._resolved[path.parent] = path.parent.resolve()
        plain = parent / path.name
        return plain.resolve() if path.name in {"", ".", ".."} or plain.is_symlink() else plain


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _unreadable(error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(f"file cannot be read: {reason}", code="file_missing")
