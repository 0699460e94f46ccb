"""Entries as the log publishes them: read from its bundles, the files that everybody else sees, not from the database."""

from collections.abc import Iterator

from shared.errors import VerificationError
from shared.ledger.frontier import TILE_WIDTH
from shared.ledger.fsck import load_resource
from shared.ledger.layout import LENGTH_BYTES, TilePlace, tile_width
from shared.ledger.readers import LogReader


def read_published(reader: LogReader, start: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Read entries from the bundles of a log.

    Args:
        reader: of the log's folder or URL.
        start: the first index wanted.
        size: of a checkpoint of this log.

    Yields:
        (index, canonical bytes), in order. That they are those under the checkpoint is what `verify_log` says.

    Raises:
        VerificationError: a bundle is missing, or does not hold that many entries.
        UnavailableError: the log cannot be read.
    """
    for number in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
        width = tile_width(None, number, size)
        path, data, _ = load_resource(reader, TilePlace(None, number, width))
        for offset, entry in enumerate(split_bundle(path, data, width)):
            index = number * TILE_WIDTH + offset
            if index >= start:
                yield index, entry


def split_bundle(path: str, data: bytes, width: int) -> list[bytes]:
    """Cut a bundle into its entries.

    Raises:
        VerificationError: it does not hold exactly so many.

    >>> split_bundle("tile/entries/000.p/2", b"\\x00\\x01a\\x00\\x02bc", 2)
    [b'a', b'bc']
    """
    entries, position = [], 0
    for _ in range(width):
        begun = position + LENGTH_BYTES
        position = begun + int.from_bytes(data[position:begun], "big")
        entries.append(data[begun:position])
    # Slices past the end are short, never wrong silently: the position then ends beyond the data.
    if position != len(data):
        raise VerificationError(f"{path}: expected {width} entries in {position} bytes, got {len(data)} bytes")
    return entries
