"""An answer on its way to a client that may not be reading yet: what is written waits in a temporary file.

Rules, in order:

1. Writing never waits for the reader. A client that sends its whole request before it reads a word of the answer, as most
   HTTP libraries do, would otherwise stand still together with the server: the server's buffers full, the client's too.
2. What waits is in a file without a name, not in memory, and is gone with the process, however it ends.
3. Once everything written has been read, the file is emptied, so that it stays small for a client that reads along.
"""

import os
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

# Read at once; as much as a socket's buffer takes.
READ_BYTES = 2**16


class Spool:
    """Bytes from one thread to another, in order, through a temporary file.

    Args:
        folder: where the file is; on a disk, not in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._lock = threading.Lock()
        self._written = 0
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Add bytes at the end."""
        with self._lock:
            left = memoryview(data)
            while left:
                done = os.pwrite(self._file.fileno(), left, self._written)
                self._written += done
                left = left[done:]

    def read(self) -> bytes:
        """Take the next bytes; empty where nothing waits."""
        with self._lock:
            data = os.pread(self._file.fileno(), min(READ_BYTES, self._written - self._read), self._read)
            self._read += len(data)
            if self._read == self._written:
                self._file.truncate(0)
                self._read = self._written = 0
        return data
