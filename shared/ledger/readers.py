"""Where a verifier reads a log's files from: a folder, or a server that lays them out as tlog-tiles.

Rules, in order:

1. A reader believes nothing and interprets nothing: it hands out a file's bytes, or None where there is no such file.
2. What cannot be read for another reason (no answer, no permission, a server's error) is an `UnavailableError`: it says
   nothing about the log.
3. A folder can be listed, so that foreign files in it are seen; a server cannot.

Source: C2SP tlog-tiles.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from shared.errors import UnavailableError


class LogReader(Protocol):
    """A log's files; `str()` of it names the place for messages."""

    parallel_reads: int

    def read(self, path: str) -> bytes | None:
        """Read a file by its path below the log's prefix; None where it is not there.

        Raises:
            UnavailableError: the place does not answer.
        """

    def list_files(self) -> Iterator[str]:
        """Yield the path of every file there, as far as the place can be listed."""


class FolderReader:
    """A log in a folder of this machine.

    Args:
        folder: the log's folder.
    """

    parallel_reads = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def read(self, path: str) -> bytes | None:
        """Read a file; a folder in its place is no file."""
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise UnavailableError(f"{self.folder / path}: expected a readable file, got {error.strerror}") from error

    def list_files(self) -> Iterator[str]:
        """Yield every file's path; what is no folder counts as a file."""
        yield from self._walk("")

    def _walk(self, prefix: str) -> Iterator[str]:
        with os.scandir(self.folder / prefix) as entries:
            for item in entries:
                path = f"{prefix}{item.name}"
                if item.is_dir(follow_symlinks=False):
                    yield from self._walk(f"{path}/")
                else:
                    yield path


@contextmanager
def open_reader(source: str | Path) -> Iterator[LogReader]:
    """Open the place that a log is in.

    Args:
        source: a folder, or the http or https URL of the log's prefix (where `checkpoint` and `tile/` are).

    Yields:
        A reader, usable within the block.

    Raises:
        InputError: the URL cannot be parsed.
    """
    if not str(source).startswith(("http://", "https://")):
        yield FolderReader(Path(source))
        return
    # A receipt or a folder is verified without an HTTP client, whose import would be half of that command's time.
    from shared.ledger.http_reader import open_http_reader  # noqa: PLC0415

    with open_http_reader(str(source)) as reader:
        yield reader
