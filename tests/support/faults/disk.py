"""One file-system call under a folder fails, in this process: SQLite's, Qdrant Edge's and Python's own calls alike.

The calls are caught by a small C library (`failing_calls.c`) that is loaded before libc. So a process has to be started with
`preload_environment`; in one that was not, `arm` raises AttributeError.
"""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("failing_calls.c")
# Instead of an errno: the process is killed before the call is made.
KILL = -1


def find_compiler() -> str | None:
    """The C compiler, or None where there is none."""
    return shutil.which("cc")


def build_library(folder: Path, compiler: str) -> Path:
    """Compile the library into a folder and return its path."""
    library = folder / "failing_calls.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return library


def preload_environment(library: Path) -> dict[str, str]:
    """The environment of a process whose calls can be made to fail."""
    return os.environ | {"LD_PRELOAD": str(library)}


def arm(folder: Path, number: int, error: int, record: Path | None = None) -> None:
    """Begin to count calls under a folder.

    Args:
        folder: absolute and without links.
        number: which call fails, from 1; 0 for none.
        error: its errno, or `KILL`.
        record: a file outside the folder that gets a line for each call: number, name and path.
    """
    ctypes.CDLL(None).faults_arm(os.fsencode(folder), number, error, os.fsencode(record or ""))


def disarm() -> int:
    """Stop counting; return how many calls were counted."""
    return int(ctypes.CDLL(None).faults_disarm())
