"""The files of a source: those below a folder, or those in a zip archive, by one interface.

Rules, in order:

1. Every file is met, also where it cannot be read: then it comes with what is wrong. Symbolic links are met, not followed into
   other folders.
2. A file is read only if it lies below the folder once every link is followed. Only regular files are opened.
3. No more is read than was asked for. Nothing is extracted.

Source: APPNOTE.TXT 6.3.10 (zip), 4.4.15 for what a member is.
"""

import os
import posixpath
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast

from services.ingest.sources.image_files import ImageFiles
from shared.errors import InputError
from shared.regular_files import open_regular
from shared.vision.image_formats import HEAD_BYTES

# Zip's flag bit 0 (4.4.4): encrypted.
_ENCRYPTED = 1


@dataclass(frozen=True)
class TreeFile:
    """A file of a tree: its path with `/`, and what is wrong with it, if it cannot be read."""

    name: str
    error: InputError | None = None


class FileTree(Protocol):
    """Files by their paths."""

    def walk(self) -> Iterator[TreeFile]:
        """Yield every file, in a fixed order."""

    def load(self, name: str, max_bytes: int) -> bytes:
        """Read a file, no more than one byte beyond `max_bytes`.

        Raises:
            InputError: it is not there, leads out of the tree, or cannot be read.
        """

    def open(self, name: str) -> BinaryIO:
        """Open a file that can be sought in.

        Raises:
            InputError: it cannot be read.
        """

    def exists(self, name: str) -> bool:
        """Say whether there is a file of this name."""


class FolderTree:
    """The files below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = ImageFiles(folder)

    def walk(self) -> Iterator[TreeFile]:
        """Yield every file, folder by folder in the order of their names."""
        problems: list[OSError] = []
        for parent, folders, names in os.walk(self.folder, onerror=problems.append):
            folders.sort()
            while problems:
                yield self._unreadable(problems.pop())
            linked = {name for name in folders if Path(parent, name).is_symlink()}
            for name in sorted([*names, *linked]):
                path = Path(parent, name)
                yield TreeFile(path.relative_to(self.folder).as_posix(), self._find_problem(path, is_folder=name in linked))
        while problems:
            yield self._unreadable(problems.pop())

    def _unreadable(self, error: OSError) -> TreeFile:
        name = Path(error.filename).relative_to(self.folder).as_posix() + "/"
        return TreeFile(name, InputError(f"folder cannot be read: {error.strerror}", code="folder_unreadable"))

    def _find_problem(self, path: Path, *, is_folder: bool) -> InputError | None:
        try:
            mode = path.stat().st_mode
            inside = path.resolve().is_relative_to(self.folder.resolve()) if path.is_symlink() else True
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return InputError(f"file cannot be read: {reason}", code="file_missing")
        if not inside:
            return InputError("the link leads out of the folder; copy what it names into it", code="path_outside")
        if is_folder:
            return InputError("a link to a folder is not followed; name its files by their own path", code="link_not_followed")
        if not stat.S_ISREG(mode):
            return InputError("expected a regular file, got another kind", code="file_kind")
        return None

    def load(self, name: str, max_bytes: int) -> bytes:
        """Read a file, no more than one byte beyond `max_bytes`."""
        return self._files.load(name, max_bytes)

    def open(self, name: str) -> BinaryIO:
        """Open a file."""
        try:
            return open_regular(self._files.find(name))
        except OSError as error:
            raise InputError(f"{name} cannot be read: {error.strerror}", code="source_damaged") from error

    def exists(self, name: str) -> bool:
        """Say whether there is a file of this name, or a link of it."""
        return os.path.lexists(self.folder / name)


class ZipTree:
    """The files of a zip archive; may be used by one thread at a time.

    Raises:
        InputError: it is none.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"{path.name} is no zip archive: {error}", code="source_damaged") from error
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            self._members.setdefault(member.filename, member)

    def walk(self) -> Iterator[TreeFile]:
        """Yield every member, folder by folder in the order of their names."""
        members = [member for member in self._zip.infolist() if not member.is_dir()]
        for member in sorted(members, key=lambda member: posixpath.split(member.filename)):
            yield TreeFile(member.filename, self._find_problem(member))

    def _find_problem(self, member: zipfile.ZipInfo) -> InputError | None:
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts:
            return InputError(f"expected a path below the archive's root, got {member.filename!r}", code="path_outside")
        if member is not self._members[member.filename]:
            return InputError(f"expected one member of this name, got another: {member.filename}", code="row_invalid")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in {0, stat.S_IFREG}:
            return InputError(f"expected a regular file in the archive, got another kind: {path}", code="member_kind")
        if member.flag_bits & _ENCRYPTED:
            return InputError(f"member is encrypted: {path}; unpack the archive with its password", code="member_encrypted")
        return None

    def load(self, name: str, max_bytes: int) -> bytes:
        """Read a member, no more than one byte beyond `max_bytes`."""
        with self._opened(name) as file:
            try:
                return file.read(max_bytes + 1)
            except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
                raise InputError(f"{name} is damaged in the archive: {error}", code="source_damaged") from error

    def open(self, name: str) -> BinaryIO:
        """Open a member."""
        member = self._members.get(name)
        if member is None:
            raise InputError(f"file cannot be read: no member {name} in the archive", code="file_missing")
        if (problem := self._find_problem(member)) is not None:
            raise problem
        try:
            return cast("BinaryIO", self._zip.open(member))
        except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise InputError(f"{name} cannot be read in the archive: {error}", code="source_damaged") from error

    @contextmanager
    def _opened(self, name: str) -> Iterator[BinaryIO]:
        with self.open(name) as file:
            yield file

    def exists(self, name: str) -> bool:
        """Say whether there is a member of this name."""
        return name in self._members


def open_tree(path: Path) -> FileTree:
    """Open the files of a folder or a zip archive.

    Raises:
        InputError: the path is neither.
    """
    if path.is_dir():
        return FolderTree(path)
    if not path.exists():
        raise InputError(f"expected a folder or a zip archive, got nothing at {path}", code="folder_missing")
    return ZipTree(path)


def load_head(tree: FileTree, name: str) -> bytes:
    """Read as much of a file as tells a picture's format.

    Raises:
        InputError: it cannot be read.
    """
    return tree.load(name, HEAD_BYTES)
