"""The right edge of a tiled tree: all that is needed to append leaves and to know the root.

Rules, in order:

1. Tiles are 256 hashes wide. Level 0 holds leaf hashes; a hash of level L + 1 is the root of one full tile
   of level L.
2. Only the last, unfinished tile of each level is kept, so memory grows with the tree's height alone.
3. A tile that becomes full is handed out once and folded into the level above; unfinished tiles are handed
   out on demand.

The sequencer and the log's verifier both grow one: what one writes the other expects.

Source: C2SP tlog-tiles, "Merkle Tree".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.ledger.merkle import root_of

# C2SP tlog-tiles: tiles have height 8, so 2**8 hashes.
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT


@dataclass(frozen=True)
class Tile:
    """One tile: its place and the hashes in it, joined."""

    level: int
    index: int
    hashes: bytes


class Frontier:
    """A growing tree, known by the unfinished tile of each level.

    Args:
        size: number of leaves.
        edge: for each level from 0 up, the hashes in its unfinished tile, fewer than 256 each.
    """

    def __init__(self, size: int = 0, edge: Sequence[Sequence[bytes]] = ()) -> None:
        self.size = size
        self._edge = [list(hashes) for hashes in edge]

    def extend(self, leaves: Sequence[bytes]) -> list[Tile]:
        """Append leaves.

        Args:
            leaves: 32-byte leaf hashes, in order.

        Returns:
            The tiles that became full, of every level, lower levels first.
        """
        full: list[Tile] = []
        position = 0
        while position < len(leaves):
            room = TILE_WIDTH - self.size % TILE_WIDTH
            added = leaves[position : position + room]
            self._level(0).extend(added)
            position += len(added)
            self.size += len(added)
            if len(added) == room:
                self._complete(full)
        return full

    def partial_tiles(self) -> list[Tile]:
        """Return the unfinished tile of each level that has one."""
        return [
            Tile(level, self.size >> (TILE_HEIGHT * (level + 1)), b"".join(hashes))
            for level, hashes in enumerate(self._edge)
            if hashes
        ]

    def root(self) -> bytes:
        """Return the 32-byte root: the unfinished tiles, folded from the lowest, rightmost level up."""
        tail: list[bytes] = []
        for hashes in self._edge:
            if hashes:
                tail = [root_of(hashes + tail)]
        return root_of(tail)

    def _level(self, level: int) -> list[bytes]:
        if level == len(self._edge):
            self._edge.append([])
        return self._edge[level]

    def _complete(self, full: list[Tile]) -> None:
        """Hand out every tile that the last leaf made full, and fold each into the level above."""
        level = 0
        while len(hashes := self._level(level)) == TILE_WIDTH:
            index = (self.size >> (TILE_HEIGHT * (level + 1))) - 1
            full.append(Tile(level, index, b"".join(hashes)))
            self._level(level + 1).append(root_of(hashes))
            hashes.clear()
            level += 1
