"""Tiles, entry bundles and the checkpoint as files in a folder, laid out so that any web server can serve them.

Rules, in order:

1. Tiles and bundles never change: writing the same bytes again does nothing, writing others is a corrupt
   state.
2. A file is whole before it gets its name (temporary file, fsync, rename, fsync of the folder), so what is
   there can be trusted after a crash. Temporary files live in `.tmp`, one process at a time writes, under
   the lock `.lock`.
3. Unfinished versions of a resource are dropped once the full one is published; a reader that misses one
   takes the head of the full one.

Source: C2SP tlog-tiles; names and content are in `layout`.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from shared.errors import CorruptStateError
from shared.ledger.frontier import TILE_HEIGHT, TILE_WIDTH, Frontier
from shared.ledger.layout import (
    CHECKPOINT_PATH,
    TilePlace,
    build_hash_reader,
    build_tile_path,
    read_resource,
    split_hashes,
    tile_width,
)
from shared.ledger.merkle import HASH_BYTES, HashReader

# Inode, size, time of change.
Stamp = tuple[int, int, int]

LOCK_PATH = ".lock"
TEMPORARY_PATH = ".tmp"

# Journalling filesystems commit syncs that wait together in one write: with 8 at once, 14 files of 100 kB
# took 3 to 15 ms on ext4, one after the other 35 to 55 ms.
_PARALLEL_SYNCS = 8
_BUNDLE_NAME = re.compile(r"x?[0-9]{3}|[0-9]{3}\.p")


class TileStore:
    """The folder of one log.

    Args:
        folder: made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for writing, against every other process and thread of this machine.

        The kernel drops the lock with the process that holds it, however it ends.
        """
        with (self.folder / LOCK_PATH).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            shutil.rmtree(self.folder / TEMPORARY_PATH, ignore_errors=True)
            yield

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write tiles and bundles; hold the lock.

        Args:
            files: content by path.

        Raises:
            CorruptStateError: one of them is there already with other bytes.
        """
        self._replace({path: data for path, data in files.items() if not self._has(path, data)})

    def publish(self, note: str) -> None:
        """Replace the checkpoint; hold the lock."""
        self._replace({CHECKPOINT_PATH: note.encode()})

    def checkpoint_note(self) -> str | None:
        """Return the published checkpoint's signed note, or None before the first."""
        try:
            return (self.folder / CHECKPOINT_PATH).read_bytes().decode()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise CorruptStateError(f"{self.folder / CHECKPOINT_PATH}: expected UTF-8, got {error}") from error

    def count_bundled(self) -> int:
        """Return up to which size the folder has entry bundles, whatever its checkpoint says."""
        folder, first = self.folder / "tile" / "entries", 0
        while folder.is_dir():
            # `x001/x234/067` is the bundle 1,234,067; an unfinished one of 12 entries is `067.p/12` in its place.
            names = [path.name for path in folder.iterdir() if _BUNDLE_NAME.fullmatch(path.name)]
            deeper = [name for name in names if name.startswith("x")]
            if not names:
                return 0
            last = max(deeper or names).removesuffix(".p")
            first = first * 1000 + int(last.removeprefix("x"))
            if not deeper:
                return first * TILE_WIDTH + _count_bundle(folder / last)
            folder /= last
        return 0

    def remove_partials(self, old_size: int, new_size: int) -> None:
        """Drop unfinished versions of what became full between two sizes; hold the lock."""
        for level in (None, *range(new_size.bit_length() // TILE_HEIGHT + 1)):
            width_bits = TILE_HEIGHT * ((level or 0) + 1)
            for index in range(old_size >> width_bits, new_size >> width_bits):
                shutil.rmtree(self.folder / (build_tile_path(level, index) + ".p"), ignore_errors=True)

    def load_tile(self, level: int, index: int, size: int) -> list[bytes]:
        """Read a tile as it is in a log of a given size.

        Args:
            level: tile level.
            index: index within the level.
            size: number of entries, at most what is published.

        Returns:
            The 32-byte hashes in it.

        Raises:
            CorruptStateError: the tile is missing or has the wrong length.
        """
        place = TilePlace(level, index, tile_width(level, index, size))
        path = build_tile_path(level, index, place.width)
        resource = read_resource(self.read, place)
        if resource is None:
            raise CorruptStateError(f"{path}: expected this tile in {self.folder}, got none")
        if len(resource[1]) != place.width * HASH_BYTES:
            raise CorruptStateError(f"{path}: expected {place.width * HASH_BYTES} bytes, got {len(resource[1])}")
        return split_hashes(resource[1])

    def load_frontier(self, size: int) -> Frontier:
        """Read the right edge of the tree.

        Args:
            size: number of entries: a multiple of 256, so that level 0 has no unfinished tile.

        Returns:
            The frontier at that size.
        """
        edge: list[list[bytes]] = [[]]
        for level in range(1, size.bit_length() // TILE_HEIGHT + 1):
            total = size >> (TILE_HEIGHT * level)
            edge.append(self.load_tile(level, total // TILE_WIDTH, size) if total % TILE_WIDTH else [])
        return Frontier(size, edge)

    def build_reader(self, size: int) -> HashReader:
        """Return a hash reader over the tiles of a log of a given size; see `build_hash_reader`."""
        return build_hash_reader(partial(self.load_tile, size=size))

    def stamp(self, path: str) -> Stamp | None:
        """Return what changes when a file is written to; None where it is not there."""
        try:
            status = (self.folder / path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    def read(self, path: str) -> bytes | None:
        """Read a file by its path below the folder; None where it is not there."""
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            return None

    def _has(self, path: str, data: bytes) -> bool:
        present = self.read(path)
        if present is not None and present != data:
            raise CorruptStateError(
                f"{self.folder / path}: expected the {len(data)} bytes that the log's entries give, got {len(present)} others"
            )
        return present is not None

    def _replace(self, files: Mapping[str, bytes]) -> None:
        """Write files so that each is whole or absent after a crash, and all are on disk on return."""
        if not files:
            return
        temporary = self.folder / TEMPORARY_PATH
        temporary.mkdir(exist_ok=True)
        parts = [temporary / str(number) for number in range(len(files))]
        parents: set[Path] = set()
        with ThreadPoolExecutor(_PARALLEL_SYNCS) as pool:
            list(pool.map(_write_synced, parts, files.values()))
            for part, path in zip(parts, files, strict=True):
                target = self.folder / path
                parents |= _make_folders(target.parent) | {target.parent}
                part.replace(target)
            list(pool.map(_sync_folder, parents))


def _count_bundle(path: Path) -> int:
    """Return how many entries a bundle holds, finished or not."""
    if path.exists():
        return TILE_WIDTH
    unfinished = path.with_name(path.name + ".p")
    try:
        return max((int(version.name) for version in unfinished.iterdir() if version.name.isdigit()), default=0)
    except FileNotFoundError:  # it became full meanwhile
        return TILE_WIDTH


def _make_folders(folder: Path) -> set[Path]:
    """Make a folder and its parents; return the folders that got a new child, which must be synced."""
    if folder.is_dir():
        return set()
    touched = _make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    return touched | {folder.parent}


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
