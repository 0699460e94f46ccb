"""Every file below a folder, each with its path or the reason why it is not read: nothing is left out in silence.

Rules, in order:

1. Every file has a line, whatever its name says, hidden ones too. Folders have none, unless they cannot be looked into.
2. A link to a file is followed inside the folder. One that leads out of it, to nothing or in a circle is named.
3. A link to a folder inside is left to the files there, which have lines of their own; one that leads out is named.
4. Pipes, sockets and devices are named and never opened.
"""

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from shared.errors import InputError


@dataclass(frozen=True)
class ListedFile:
    """A file below a folder.

    Attributes:
        path: from the folder, with slashes.
        problem: why it cannot be read, where that is known without opening it.
    """

    path: str
    problem: InputError | None = None


def list_files(folder: Path, without: Collection[Path] = ()) -> list[ListedFile]:
    """List every file below a folder, sorted by path.

    Args:
        folder: what to look into; may itself be a link.
        without: files that the caller writes there itself.

    Raises:
        InputError: it is no folder.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder, got {folder}", code="folder_missing")
    root, left_out = folder.resolve(), {path.parent.resolve() / path.name for path in without}
    listed: list[ListedFile] = []

    def on_error(error: OSError) -> None:
        path = Path(os.fsdecode(error.filename)).relative_to(root).as_posix()
        problem = InputError(f"folder cannot be read: {error.strerror}", code="folder_unreadable")
        listed.append(ListedFile(path, problem))

    for current, folders, files in os.walk(root, onerror=on_error):
        here = Path(current)
        listed += [_look_at(root, here / name) for name in files if here / name not in left_out]
        listed += [file for name in folders if (file := _look_at_folder(root, here / name)) is not None]
    return sorted(listed, key=lambda file: file.path)


def _look_at(root: Path, path: Path) -> ListedFile:
    name = path.relative_to(root).as_posix()
    try:
        mode = path.stat().st_mode
        is_inside = path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError) as error:
        code = "link_dangling" if path.is_symlink() else "file_unreadable"
        why = "link leads to nothing that can be read" if path.is_symlink() else "cannot be read"
        strerror = error.strerror if isinstance(error, OSError) else "a circle of links"
        return ListedFile(name, InputError(f"{why}: {strerror}", code=code))
    if not is_inside:
        return ListedFile(name, InputError("link leads out of the folder, and is not followed", code="link_outside"))
    if not stat.S_ISREG(mode):
        return ListedFile(name, InputError("expected a file, got a pipe, socket or device", code="not_a_file"))
    return ListedFile(name)


def _look_at_folder(root: Path, path: Path) -> ListedFile | None:
    """Name a link that leads out; of any other folder the files are listed by themselves."""
    if not path.is_symlink() or path.resolve().is_relative_to(root):
        return None
    problem = InputError("link to a folder leads out of this one, and is not followed", code="link_outside")
    return ListedFile(path.relative_to(root).as_posix(), problem)
