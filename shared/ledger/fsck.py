"""Verification of a whole log, from its entries up, without trust in its owner.

Rules, in order:

1. Only the verifier key is believed; everything else is recomputed.
2. A log holds when every bundle gives the stored tiles, these the tiles above them, and the top the signed root; when no
   file is missing; and, where the place can be listed, when no file is there that a log does not have.
3. Every error names the file. Unfinished tiles of earlier sizes must be the heads of the present ones. Tiles beyond the
   checkpoint (an integration is under way or was interrupted) are counted, not trusted.

Source: C2SP tlog-tiles; RFC 6962.
"""

import hashlib
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from shared.errors import VerificationError
from shared.ledger.checkpoint import SignedCheckpoint, verify_checkpoint
from shared.ledger.frontier import TILE_WIDTH, Frontier, Tile
from shared.ledger.layout import (
    CHECKPOINT_PATH,
    LENGTH_BYTES,
    TilePlace,
    build_tile_path,
    head_of,
    parse_tile_path,
    places_of,
    read_resource,
    tile_width,
)
from shared.ledger.merkle import HASH_BYTES
from shared.ledger.readers import LogReader
from shared.ledger.tiles import LOCK_PATH, TEMPORARY_PATH


@dataclass(frozen=True)
class LogReport:
    """What was verified of a log: its checkpoint, its files, and how many stand beyond the checkpoint."""

    origin: str
    size: int
    root: bytes
    bundles: int
    tiles: int
    files_beyond_checkpoint: int


def verify_files(reader: LogReader, vkey: str) -> LogReport:
    """Recompute a whole log from its entry bundles, and compare with its tiles and its signed checkpoint.

    Args:
        reader: where the log is.
        vkey: the log's verifier key.

    Returns:
        What was verified.

    Raises:
        VerificationError: a byte is not what it must be, or a file is missing or foreign; the message names the file.
        UnavailableError: the log cannot be read.
    """
    checkpoint = load_checkpoint(reader, vkey)
    frontier = Frontier()
    bundles, tiles = -(-checkpoint.size // TILE_WIDTH), 0
    with closing(_load_all(reader, checkpoint.size)) as resources:
        for _ in range(bundles):
            full = frontier.extend(_bundle_leaves(*next(resources)))
            tiles += _verify_tiles(full, resources)
        tiles += _verify_tiles(frontier.partial_tiles(), resources)
    if frontier.root() != checkpoint.root:
        raise VerificationError(f"{CHECKPOINT_PATH}: expected root {frontier.root().hex()}, got {checkpoint.root.hex()}")
    beyond = sum(_verify_other_file(reader, path, checkpoint.size) for path in reader.list_files())
    return LogReport(checkpoint.origin, checkpoint.size, checkpoint.root, bundles, tiles, beyond)


def load_checkpoint(reader: LogReader, vkey: str) -> SignedCheckpoint:
    """Read a log's checkpoint and check its signature.

    Raises:
        VerificationError: it is missing, malformed, or not signed by this key.
        UnavailableError: the log cannot be read.
    """
    data = reader.read(CHECKPOINT_PATH)
    if data is None:
        raise VerificationError(f"{CHECKPOINT_PATH}: expected this file in {reader}, got none")
    try:
        return verify_checkpoint(data.decode(), vkey)
    except UnicodeDecodeError as error:
        raise VerificationError(f"{CHECKPOINT_PATH}: expected UTF-8, got {error}") from error
    except VerificationError as error:
        raise VerificationError(f"{CHECKPOINT_PATH}: {error.message}") from error


def load_resource(reader: LogReader, place: TilePlace) -> tuple[str, bytes, int]:
    """Read a tile or bundle.

    Returns:
        The path of the file read, the content up to the place's width, and that width.

    Raises:
        VerificationError: there is no such file, or the full bundle does not hold that many entries.
        UnavailableError: the log cannot be read.
    """
    resource = read_resource(reader.read, place)
    if resource is None:
        path = build_tile_path(place.level, place.index, place.width)
        raise VerificationError(f"{path}: expected this file in {reader}, got none")
    return *resource, place.width


def _load_all(reader: LogReader, size: int) -> Generator[tuple[str, bytes, int]]:
    """Load every resource of a log in the order of `places_of`, a few ahead of the caller where that helps."""
    if reader.parallel_reads == 1:
        yield from (load_resource(reader, place) for place in places_of(size))
        return
    pool = ThreadPoolExecutor(reader.parallel_reads)
    ahead: deque[Future[tuple[str, bytes, int]]] = deque()
    try:
        for place in places_of(size):
            ahead.append(pool.submit(load_resource, reader, place))
            if len(ahead) > 2 * reader.parallel_reads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _bundle_leaves(path: str, data: bytes, width: int) -> list[bytes]:
    """Hash the entries of a bundle."""
    leaves = []
    position, sha256 = 0, hashlib.sha256
    for _ in range(width):
        start = position + LENGTH_BYTES
        position = start + int.from_bytes(data[position:start], "big")
        leaves.append(sha256(b"\x00" + data[start:position]).digest())
    # Slices past the end are short, never wrong silently: the position then ends beyond the data.
    if position != len(data):
        raise VerificationError(f"{path}: expected {width} entries in {position} bytes, got {len(data)} bytes")
    return leaves


def _verify_tiles(tiles: list[Tile], resources: Iterator[tuple[str, bytes, int]]) -> int:
    for tile in tiles:
        path, data, _ = next(resources)
        if data != tile.hashes:
            raise VerificationError(_describe_difference(path, _below(tile), tile.hashes, data))
    return len(tiles)


def _below(tile: Tile) -> str:
    """Name the bundle that a level-0 tile is computed from, or the first of the tiles that another is."""
    if tile.level == 0:
        return build_tile_path(None, tile.index, len(tile.hashes) // HASH_BYTES)
    return build_tile_path(tile.level - 1, tile.index * TILE_WIDTH)


def _describe_difference(path: str, below: str, expected: bytes, got: bytes) -> str:
    if len(expected) != len(got):
        return f"{path}: expected {len(expected)} bytes, got {len(got)}"
    byte = next(position for position in range(len(expected)) if expected[position] != got[position])
    start = byte - byte % HASH_BYTES
    return (
        f"{path}: expected hash {start // HASH_BYTES} to be {expected[start : start + HASH_BYTES].hex()} "
        f"over {below}, got {got[start : start + HASH_BYTES].hex()}"
    )


def _verify_other_file(reader: LogReader, path: str, size: int) -> bool:
    """Check a file that is there, and say whether it stands beyond the checkpoint."""
    if path in {CHECKPOINT_PATH, LOCK_PATH} or path.startswith(f"{TEMPORARY_PATH}/"):
        return False  # verified already, or the writer's own and never served
    place = parse_tile_path(path)
    if place is None:
        raise VerificationError(f"{path}: expected only tiles, entry bundles and a checkpoint, got this file")
    covered = tile_width(place.level, place.index, size)
    if place.width > covered:
        return True
    if place.width < covered:  # an unfinished tile of an earlier size
        covering, data, _ = load_resource(reader, TilePlace(place.level, place.index, covered))
        if reader.read(path) != head_of(covering, data, place):
            raise VerificationError(f"{path}: expected the first {place.width} of {covering}, got others")
    return False
