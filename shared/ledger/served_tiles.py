"""Tiles and entry bundles held against the signed checkpoint before they are handed out.

Rules, in order:

1. A bundle's entries hash to the tile above it. A full tile folds to one hash of the tile above it.
2. The unfinished tiles at the right edge give the checkpoint's root together. A tile that was unfinished once is the head of
   the one that took its place.
3. What held once is handed out again without computing, as long as its file is the same: inode, size, time of change.
4. What is beyond the checkpoint is not there.

Source: C2SP tlog-tiles; RFC 6962 section 2.1.
"""

from collections import OrderedDict
from threading import Lock

from shared.errors import CorruptStateError, VerificationError
from shared.ledger.bundles import split_bundle
from shared.ledger.checkpoint import SignedCheckpoint
from shared.ledger.frontier import TILE_WIDTH
from shared.ledger.layout import (
    TilePlace,
    build_tile_path,
    read_resource,
    split_hashes,
    tile_width,
)
from shared.ledger.merkle import leaf_hash, root_from_reader, root_of
from shared.ledger.tiles import Stamp, TileStore

# Of a log of 25 million entries, every bundle and tile.
REMEMBERED = 200_000
DAMAGED = "tile_damaged"


class ServedTiles:
    """What is handed out of one log's folder.

    Args:
        store: the folder.
    """

    def __init__(self, store: TileStore) -> None:
        self._store = store
        self._lock = Lock()
        # The file as it was when it held, by path.
        self._held: OrderedDict[str, Stamp] = OrderedDict()

    def load(self, place: TilePlace, checkpoint: SignedCheckpoint) -> bytes | None:
        """Read a tile or a bundle; None where the log of this size does not have it.

        Raises:
            CorruptStateError: the file, or one that it hangs on, is damaged.
        """
        if place.width > tile_width(place.level, place.index, checkpoint.size):
            return None
        path = build_tile_path(place.level, place.index, place.width)
        # Before reading: what is written meanwhile changes the stamp.
        stamp = self._store.stamp(path)
        try:
            resource = read_resource(self._store.read, place)
            if resource is None:
                return None
            if stamp is None or self._held.get(path) != stamp:
                self._verify(place, resource[1], checkpoint)
                self._remember(path, stamp)
        except (VerificationError, CorruptStateError) as error:
            if error.code == DAMAGED:
                raise
            raise CorruptStateError(f"{self._store.folder}: {error.message}", code=DAMAGED) from error
        return resource[1]

    def _verify(self, place: TilePlace, data: bytes, checkpoint: SignedCheckpoint) -> None:
        path = build_tile_path(place.level, place.index, place.width)
        if place.level is None:
            hashes = [leaf_hash(entry) for entry in split_bundle(path, data, place.width)]
            tile = TilePlace(0, place.index, place.width)
            self._compare(path, hashes, split_hashes(self.load(tile, checkpoint) or b""))
            return
        hashes = split_hashes(data)
        current = tile_width(place.level, place.index, checkpoint.size)
        if len(hashes) != place.width:
            raise VerificationError(f"{path}: expected {place.width} hashes, got {len(data)} bytes")
        if place.width < current:
            whole = self.load(TilePlace(place.level, place.index, current), checkpoint)
            self._compare(path, hashes, split_hashes(whole or b"")[: place.width])
        elif current == TILE_WIDTH:
            self._verify_full(place, hashes, checkpoint)
        else:
            self._verify_edge(path, checkpoint)

    def _verify_full(self, place: TilePlace, hashes: list[bytes], checkpoint: SignedCheckpoint) -> None:
        level, (index, offset) = (place.level or 0) + 1, divmod(place.index, TILE_WIDTH)
        above = self.load(TilePlace(level, index, tile_width(level, index, checkpoint.size)), checkpoint)
        path = build_tile_path(place.level, place.index, place.width)
        self._compare(path, [root_of(hashes)], split_hashes(above or b"")[offset : offset + 1])

    def _verify_edge(self, path: str, checkpoint: SignedCheckpoint) -> None:
        root = root_from_reader(checkpoint.size, self._store.build_reader(checkpoint.size))
        self._compare(path, [root], [checkpoint.root])

    @staticmethod
    def _compare(path: str, got: list[bytes], expected: list[bytes]) -> None:
        if got != expected:
            raise VerificationError(f"{path}: expected the hashes that the checkpoint was signed over, got others")

    def _remember(self, path: str, stamp: Stamp | None) -> None:
        if stamp is None:  # the head of a wider file
            return
        with self._lock:
            self._held[path] = stamp
            while len(self._held) > REMEMBERED:
                self._held.popitem(last=False)
