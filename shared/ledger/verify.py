"""Verification without trust in the log's owner: of one receipt offline, of a whole log's folder.

Rules, in order:

1. Only the verifier key is believed; everything else is recomputed from the entries up.
2. A receipt holds when its checkpoint is signed, and the leaf hash of the entry in it leads to the signed
   root.
3. A log holds when every bundle gives the stored tiles, these the tiles above them, and the top the signed
   root; when no file is missing; and when no file is there that a log does not have.
4. Every error names the file. Unfinished tiles of earlier sizes must be the heads of the present ones.
   Tiles beyond the checkpoint (an integration is under way or was interrupted) are counted, not trusted.

Source: C2SP tlog-tiles, tlog-proof; RFC 6962.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.errors import InputError, VerificationError
from shared.ledger.checkpoint import SignedCheckpoint, verify_checkpoint
from shared.ledger.entries import Entry, parse_entry
from shared.ledger.frontier import TILE_WIDTH, Frontier, Tile
from shared.ledger.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from shared.ledger.proof import parse_tlog_proof
from shared.ledger.tiles import (
    CHECKPOINT_PATH,
    LENGTH_BYTES,
    LOCK_PATH,
    TEMPORARY_PATH,
    TilePlace,
    build_tile_path,
    parse_tile_path,
    tile_width,
)


@dataclass(frozen=True)
class VerifiedReceipt:
    """What a receipt proves: this entry stands at this index of this log."""

    entry: Entry
    index: int
    size: int
    root: bytes
    origin: str


@dataclass(frozen=True)
class LogReport:
    """What was verified of a log: its checkpoint, its files, and how many stand beyond the checkpoint."""

    origin: str
    size: int
    root: bytes
    bundles: int
    tiles: int
    files_beyond_checkpoint: int


def verify_receipt(text: str, vkey: str) -> VerifiedReceipt:
    """Check a receipt, offline.

    Args:
        text: a tlog-proof with the entry in `extra`.
        vkey: the log's verifier key.

    Returns:
        The entry and its place.

    Raises:
        VerificationError: anything in the receipt does not hold.
    """
    proof = parse_tlog_proof(text)
    if proof.extra is None:
        raise VerificationError("receipt: expected the entry in the extra line, got no extra line")
    checkpoint = verify_checkpoint(proof.checkpoint_note, vkey)
    verify_inclusion(leaf_hash(proof.extra), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    try:
        entry = parse_entry(proof.extra)
    except InputError as error:
        raise VerificationError(f"receipt: {error.message}") from error
    return VerifiedReceipt(entry, proof.index, checkpoint.size, checkpoint.root, checkpoint.origin)


def verify_log(folder: Path, vkey: str) -> LogReport:
    """Recompute a whole log from its entry bundles, and compare with its tiles and its signed checkpoint.

    Args:
        folder: the log's folder.
        vkey: the log's verifier key.

    Returns:
        What was verified.

    Raises:
        VerificationError: a byte is not what it must be, or a file is missing or foreign; the message names
            the file.
    """
    checkpoint = _verify_checkpoint_file(folder, vkey)
    frontier = Frontier()
    tiles = 0
    bundles = range(-(-checkpoint.size // TILE_WIDTH))
    for index in bundles:
        width = tile_width(None, index, checkpoint.size)
        path, data = _read_covering(folder, TilePlace(None, index, width))
        full = frontier.extend(_bundle_leaves(path, data, width))
        tiles += _verify_tiles(folder, full)
    tiles += _verify_tiles(folder, frontier.partial_tiles())
    if frontier.root() != checkpoint.root:
        raise VerificationError(f"{CHECKPOINT_PATH}: expected root {frontier.root().hex()}, got {checkpoint.root.hex()}")
    beyond = sum(_verify_other_file(folder, path, checkpoint.size) for path in _walk(folder, ""))
    return LogReport(checkpoint.origin, checkpoint.size, checkpoint.root, len(bundles), tiles, beyond)


def _verify_checkpoint_file(folder: Path, vkey: str) -> SignedCheckpoint:
    data = _read(folder, CHECKPOINT_PATH)
    if data is None:
        raise VerificationError(f"{CHECKPOINT_PATH}: expected this file in {folder}, got none")
    try:
        return verify_checkpoint(data.decode(), vkey)
    except UnicodeDecodeError as error:
        raise VerificationError(f"{CHECKPOINT_PATH}: expected UTF-8, got {error}") from error
    except VerificationError as error:
        raise VerificationError(f"{CHECKPOINT_PATH}: {error.message}") from error


def _read(folder: Path, path: str) -> bytes | None:
    try:
        return (folder / path).read_bytes()
    except FileNotFoundError:
        return None


def _read_covering(folder: Path, place: TilePlace) -> tuple[str, bytes]:
    """Read a tile or bundle, or the head of the full one where the unfinished one is gone."""
    path = build_tile_path(place.level, place.index, place.width)
    data = _read(folder, path)
    if data is None and place.width < TILE_WIDTH:
        full = build_tile_path(place.level, place.index)
        data = _read(folder, full)
        if data is not None:
            end = place.width * HASH_BYTES if place.level is not None else _bundle_end(full, data, place.width)
            return full, data[:end]
    if data is None:
        raise VerificationError(f"{path}: expected this file in {folder}, got none")
    return path, data


def _bundle_end(path: str, data: bytes, width: int) -> int:
    """Return where an entry bundle's first `width` entries end."""
    position = 0
    for _ in range(width):
        end_of_length = position + LENGTH_BYTES
        position = end_of_length + int.from_bytes(data[position:end_of_length], "big")
        if end_of_length > len(data) or position > len(data):
            raise VerificationError(f"{path}: expected {width} whole entries, got {len(data)} bytes")
    return position


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


def _verify_tiles(folder: Path, tiles: list[Tile]) -> int:
    for tile in tiles:
        width = len(tile.hashes) // HASH_BYTES
        path, data = _read_covering(folder, TilePlace(tile.level, tile.index, width))
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


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    """Yield every file's path below the log's prefix, but for the writer's own lock and temporary files."""
    with os.scandir(folder / prefix) as entries:
        for item in entries:
            path = f"{prefix}{item.name}"
            if path in {LOCK_PATH, TEMPORARY_PATH}:
                continue
            if item.is_dir(follow_symlinks=False):
                yield from _walk(folder, f"{path}/")
            else:
                yield path


def _verify_other_file(folder: Path, path: str, size: int) -> bool:
    """Check a file that is there, and say whether it stands beyond the checkpoint."""
    if path == CHECKPOINT_PATH:
        return False
    place = parse_tile_path(path)
    if place is None:
        raise VerificationError(f"{path}: expected only tiles, entry bundles and a checkpoint, got this file")
    covered = tile_width(place.level, place.index, size)
    if place.width > covered:
        return True
    if place.width < covered:  # an unfinished tile of an earlier size
        covering, data = _read_covering(folder, TilePlace(place.level, place.index, covered))
        end = place.width * HASH_BYTES if place.level is not None else _bundle_end(path, data, place.width)
        if _read(folder, path) != data[:end]:
            raise VerificationError(f"{path}: expected the first {place.width} of {covering}, got others")
    return False
