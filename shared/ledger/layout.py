"""How a log is laid out in files: names and widths of tiles and entry bundles, and what is in them.

Rules, in order:

1. `tile/<L>/<N>` holds 256 hashes, `tile/entries/<N>` the 256 entries under a level-0 tile, each after its length as a
   big-endian uint16. A resource that is not full yet stands at `<its path>.p/<W>`, W being how many it holds.
2. N is written in groups of three digits, all but the last after an `x`: 1234067 is `x001/x234/067`. A path has one
   spelling; every other one names nothing.
3. A resource never changes, so an unfinished one is the head of the full one: whoever misses the first takes it from
   there, as the format tells clients to.

Nothing here does I/O; a file is asked for through a function from path to content.

Source: C2SP tlog-tiles.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from shared.errors import VerificationError
from shared.ledger.frontier import TILE_HEIGHT, TILE_WIDTH
from shared.ledger.merkle import HASH_BYTES, HashReader, build_rows

CHECKPOINT_PATH = "checkpoint"

# C2SP tlog-tiles: entries are length-prefixed with a big-endian uint16, so none is longer.
LENGTH_BYTES = 2
MAX_ENTRY_BYTES = 2**16 - 1
MAX_RESOURCE_BYTES = TILE_WIDTH * (LENGTH_BYTES + MAX_ENTRY_BYTES)

# C2SP tlog-tiles: levels 0 to 63, index groups of three digits, widths 1 to 255.
_TILE_PATH = re.compile(
    r"tile/(?P<level>[0-9]|[1-5][0-9]|6[0-3]|entries)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?",
    re.ASCII,
)

# A file's content by its path, or None where it is not there.
ReadFile = Callable[[str], bytes | None]


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


def places_of(size: int) -> Iterator[TilePlace]:
    """List every bundle and tile of a log of a given size, each tile after all that it is computed from.

    Args:
        size: number of entries.

    Yields:
        A bundle, the tiles that it completes, and so on; last the unfinished tiles, from the lowest level up.

    >>> [build_tile_path(place.level, place.index, place.width) for place in places_of(257)]
    ['tile/entries/000', 'tile/0/000', 'tile/entries/001.p/1', 'tile/0/001.p/1', 'tile/1/000.p/1']
    """
    for index in range(-(-size // TILE_WIDTH)):
        width = tile_width(None, index, size)
        yield TilePlace(None, index, width)
        level, full = 0, index + 1 if width == TILE_WIDTH else 0
        while full:
            yield TilePlace(level, full - 1, TILE_WIDTH)
            level, full = level + 1, 0 if full % TILE_WIDTH else full // TILE_WIDTH
    for level in range(size.bit_length() // TILE_HEIGHT + 1):
        index = size >> (TILE_HEIGHT * (level + 1))
        if width := tile_width(level, index, size):
            yield TilePlace(level, index, width)


def read_resource(read: ReadFile, place: TilePlace) -> tuple[str, bytes] | None:
    """Read a tile or bundle, from the head of the full one where the unfinished one is gone.

    Args:
        read: content by path.
        place: which, and how wide.

    Returns:
        The path of the file read and what was asked for of it; None where there is no such file.

    Raises:
        VerificationError: the full bundle does not hold that many whole entries.
    """
    path = build_tile_path(place.level, place.index, place.width)
    data = read(path)
    if data is None and place.width < TILE_WIDTH:
        path = build_tile_path(place.level, place.index)
        data = read(path)
        return None if data is None else (path, head_of(path, data, place))
    return None if data is None else (path, data)


def head_of(path: str, data: bytes, place: TilePlace) -> bytes:
    """Cut a wider version of a tile or bundle to the width of a place.

    Raises:
        VerificationError: it is a bundle that does not hold that many whole entries; the message names `path`.

    >>> head_of("tile/entries/000", build_bundle([b"a", b"bc"]), TilePlace(None, 0, 1))
    b'\\x00\\x01a'
    """
    if place.level is not None:
        return data[: place.width * HASH_BYTES]
    position = 0
    for _ in range(place.width):
        end_of_length = position + LENGTH_BYTES
        position = end_of_length + int.from_bytes(data[position:end_of_length], "big")
        if end_of_length > len(data) or position > len(data):
            raise VerificationError(f"{path}: expected {place.width} whole entries, got {len(data)} bytes")
    return data[:position]


def build_hash_reader(load_tile: Callable[[int, int], list[bytes]]) -> HashReader:
    """Build a hash reader over tiles; it keeps what it has read and computed, so many proofs share the work.

    Args:
        load_tile: the 32-byte hashes in the tile at (level, index), all for one size of the log.

    Returns:
        A function from (level, index) to the hash of that perfect subtree.
    """
    tiles: dict[tuple[int, int], list[list[bytes]]] = {}

    def read(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile_index, offset = divmod(index, TILE_WIDTH >> height)
        place = tile_level, tile_index
        if place not in tiles:
            tiles[place] = build_rows(load_tile(*place))
        return tiles[place][height][offset]

    return read
