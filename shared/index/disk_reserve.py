"""Room on the disk for files that an engine maps into memory and fills later.

A page of a mapped file that has no block on the disk is given one when it is written to. Where the disk is full, the kernel
then ends the process (SIGBUS), and no error can be caught. So blocks are asked for before: that fails with an error.

Source: POSIX.1-2017, mmap ("SIGBUS"), posix_fallocate; lseek(2), SEEK_HOLE.
"""

import errno
import os
from pathlib import Path

from shared.errors import UnavailableError

# What stays free for files that a write begins, and for others who write at the same time.
MARGIN_BYTES = 16 * 2**20


def reserve(folder: Path, write_bytes: int) -> None:
    """Give the files below a folder the blocks that the next write may need.

    Args:
        folder: of an engine that appends to its files.
        write_bytes: how long what is written next may be in any of them.

    Raises:
        UnavailableError: the disk is too full.
    """
    try:
        status = os.statvfs(folder)
        _verify_room(status.f_bavail * status.f_frsize, 4 * write_bytes + MARGIN_BYTES)
        for parent, _, names in os.walk(folder):
            for name in names:
                _reserve_file(os.path.join(parent, name), write_bytes)  # noqa: PTH118 - some forty files a write
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise UnavailableError(
            f"the disk is full: expected room for the search index in {folder}", code="disk_full"
        ) from error


def _verify_room(free_bytes: int, wanted_bytes: int) -> None:
    if free_bytes < wanted_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _reserve_file(path: str, write_bytes: int) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # the engine removed it meanwhile
        return
    try:
        status = os.fstat(descriptor)
        if status.st_blocks * 512 >= status.st_size:
            return
        start = os.lseek(descriptor, 0, os.SEEK_HOLE)
        wanted = min(status.st_size - start, write_bytes)
        if wanted > 0:
            os.posix_fallocate(descriptor, start, wanted)
    finally:
        os.close(descriptor)
