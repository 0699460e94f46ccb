"""Image files below a folder, as sources name them.

Rules, in order:

1. A file is read only if it lies below the folder once every symbolic link is followed.
2. No more is read than one byte beyond the limit: what is too large is refused by its size, not by running out of memory.
"""

from pathlib import Path

from shared.errors import InputError


class ImageFiles:
    """The images below one folder.

    Args:
        folder: what a file must lie below.
        max_bytes: no more of a file is read than one byte beyond this.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._root = folder.resolve()
        self._max_bytes = max_bytes
        # Following the links of a folder anew for each of its files takes longer than reading the file.
        self._resolved: dict[Path, Path] = {}

    def load(self, name: str) -> bytes:
        """Read one image.

        Args:
            name: its path relative to the folder, with `/`.

        Raises:
            InputError: the name leads out of the folder, or the file cannot be read.
        """
        try:
            path = self._resolve(self._root / name)
            if not path.is_relative_to(self._root):
                raise InputError(f"file_name leads out of the folder: {name}", code="path_outside")
            with path.open("rb") as file:
                return file.read(self._max_bytes + 1)
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links is a RuntimeError, a NUL a ValueError
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"file cannot be read: {reason}", code="file_missing") from error

    def _resolve(self, path: Path) -> Path:
        parent = self._resolved.get(path.parent)
        if parent is None:
            parent = self._resolved[path.parent] = path.parent.resolve()
        plain = parent / path.name
        return plain.resolve() if path.name in {"", ".", ".."} or plain.is_symlink() else plain
