"""Tiles, entry bundles and the checkpoint as files in a folder, laid out so that any web server can serve
them.

Rules, in order:

1. `tile/<L>/<N>` holds 256 hashes, `tile/entries/<N>` the 256 entries under a level-0 tile, each after its
   length as a big-endian uint16. A resource that is not full yet stands at `<its path>.p/<W>`, W being how
   many it holds.
2. N is written in groups of three digits, all but the last after an `x`: 1234067 is `x001/x234/067`.
3. Tiles and bundles never change: writing the same bytes again does nothing, writing others is a corrupt
   state.
4. A file is whole before it gets its name (temporary file, fsync, rename, fsync of the folder), so what is
   there can be trusted after a crash. Temporary files live in `.tmp`, one process at a time writes, under
   the lock `.lock`.
5. Unfinished versions of a resource are dropped once the full one is published; a reader that misses one
   takes the head of the full one, as the format tells clients to.

Source: C2SP tlog-tiles.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.errors import CorruptStateError
from shared.ledger.frontier import TILE_HEIGHT, TILE_WIDTH, Frontier
from shared.ledger.merkle import HASH_BYTES, HashReader, build_rows

CHECKPOINT_PATH = "checkpoint"
LOCK_PATH = ".lock"
TEMPORARY_PATH = ".tmp"

# C2SP tlog-tiles: entries are length-prefixed with a big-endian uint16, so none is longer.
LENGTH_BYTES = 2
MAX_ENTRY_BYTES = 2**16 - 1

# Journalling filesystems commit syncs that wait together in one write: with 8 at once, 14 files of 100 kB
# took 3 to 15 ms on ext4, one after the other 35 to 55 ms.
_PARALLEL_SYNCS = 8

# C2SP tlog-tiles: levels 0 to 63, index groups of three digits, widths 1 to 255.
_TILE_PATH = re.compile(
    r"tile/(?P<level>[0-9]|[1-5][0-9]|6[0-3]|entries)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class TilePlace:
    """Where a tile (level 0..63) or an entry bundle (level None) stands, and how wide it is."""

    level: int | None
    index: int
    width: int


def _index_path(index: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    return "/".join(groups)


def build_tile_path(level: int | None, index: int, width: int = TILE_WIDTH) -> str:
    """Name a tile or entry bundle.

    Args:
        level: tile level, 0 to 63; None for an entry bundle.
        index: index within the level.
        width: hashes or entries it holds, 1 to 256; 256 is a full one.

    Returns:
        The path below the log's prefix.

    >>> build_tile_path(1, 1234067), build_tile_path(None, 5, 17)
    ('tile/1/x001/x234/067', 'tile/entries/005.p/17')
    """
    kind = "entries" if level is None else level
    suffix = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{kind}/{_index_path(index)}{suffix}"


def parse_tile_path(path: str) -> TilePlace | None:
    """Read the path of a tile or entry bundle.

    Args:
        path: the path below the log's prefix.

    Returns:
        Its place, or None where the path is not one that the format allows.

    >>> parse_tile_path("tile/entries/x001/234.p/17")
    TilePlace(level=None, index=1234, width=17)
    """
    match = _TILE_PATH.fullmatch(path)
    if match is None:
        return None
    level = None if match["level"] == "entries" else int(match["level"])
    index = int(match["index"].replace("x", "").replace("/", ""))
    place = TilePlace(level, index, int(match["width"] or TILE_WIDTH))
    return place if build_tile_path(level, place.index, place.width) == path else None


def tile_width(level: int | None, index: int, size: int) -> int:
    """Return how many hashes or entries a tile or bundle holds in a log of this size; at most 0 where it
    has none.

    >>> tile_width(0, 273, 70_000), tile_width(2, 0, 70_000)
    (112, 1)
    """
    return min(TILE_WIDTH, (size >> (TILE_HEIGHT * (level or 0))) - index * TILE_WIDTH)


def build_bundle(entries: Sequence[bytes]) -> bytes:
    """Join entries into a bundle.

    Args:
        entries: at most 256 entries of at most 65,535 bytes.

    Returns:
        Each entry after its length as a big-endian uint16.

    >>> build_bundle([b"a", b"bc"])
    b'\\x00\\x01a\\x00\\x02bc'
    """
    return b"".join(len(entry).to_bytes(LENGTH_BYTES, "big") + entry for entry in entries)


def split_hashes(data: bytes) -> list[bytes]:
    """Cut a tile into its 32-byte hashes."""
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


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
        width = tile_width(level, index, size)
        partial, full = build_tile_path(level, index, width), build_tile_path(level, index)
        data = self._read(partial)
        length_bytes = width * HASH_BYTES
        if data is None and width < TILE_WIDTH:
            data, length_bytes = self._read(full), TILE_WIDTH * HASH_BYTES
        if data is None:
            raise CorruptStateError(f"{partial}: expected this tile in {self.folder}, got none")
        if len(data) != length_bytes:
            raise CorruptStateError(f"{partial}: expected {length_bytes} bytes, got {len(data)}")
        return split_hashes(data)[:width]

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
        """Return a hash reader over the tiles of a log of a given size.

        It keeps what it has read and computed, so many proofs for one size share the work.
        """
        tiles: dict[tuple[int, int], list[list[bytes]]] = {}

        def read(level: int, index: int) -> bytes:
            tile_level, height = divmod(level, TILE_HEIGHT)
            tile_index, offset = divmod(index, TILE_WIDTH >> height)
            place = tile_level, tile_index
            if place not in tiles:
                tiles[place] = build_rows(self.load_tile(tile_level, tile_index, size))
            return tiles[place][height][offset]

        return read

    def _read(self, path: str) -> bytes | None:
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            return None

    def _has(self, path: str, data: bytes) -> bool:
        present = self._read(path)
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
