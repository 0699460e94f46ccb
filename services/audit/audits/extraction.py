"""Extraction on purpose: of very many generations, those that many seeds share, one of each.

A picture that a model draws again and again, from noise that has nothing in common, is one that it stored. The search for such
pictures needs no training set. They are then compared with the training set like any generation.

Rules, in order:

1. Two generations are near identical where the worst of their 4 × 4 tiles differs by at most 0.15 (root mean square, scale
   0..1), exactly as rule tiled-l2 has it.
2. A clique is a set of generations of which every two are near identical. Cliques are taken greedily, most neighbours first,
   and share no generation. Each is truly a clique, though a larger one may be overlooked. Those below the requested size do
   not count.
3. A clique's representative is its medoid, the generation nearest to all others of it. Among equals it is the lowest number.
4. Sums of squares are integers that float64 holds exactly, so the result does not depend on blocks or threads.

Source: Carlini et al. 2023 (arXiv:2301.13188), section 4.2: tiled distance of 0.15, cliques of at least 10.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from shared.errors import InputError
from shared.matching.panel.tile_distances import GRID, PEAK, tile_edges
from shared.matching.rules.tiled_l2 import THRESHOLD
from shared.vision.views import Pixels

CLIQUE_SIZE = 10
# Rows compared with all others at a time, a multiple of 8: 20 MB of sums a tile at 10,000 generations.
BLOCK_ROWS = 256
# The relation takes a bit a pair: 313 MB here.
MAX_GENERATIONS = 50_000

Bits = NDArray[np.uint8]


@dataclass(frozen=True)
class Clique:
    """Generations of which every two are near identical: their numbers, ascending, and the one that stands for them."""

    members: tuple[int, ...]
    representative: int


def find_cliques(generations: Pixels, *, size: int = CLIQUE_SIZE, distance: float = THRESHOLD) -> list[Clique]:
    """Find the pictures that many generations share.

    Args:
        generations: uint8 (G, C, H, W), sides of at least 4 px.
        size: least number of generations in a clique, at least 2.
        distance: within which two generations are near identical, scale 0..1.

    Returns:
        Largest first, equal ones by their representative.

    Raises:
        InputError: too many generations, too small ones, or a size or distance out of range.
    """
    if size < 2 or not 0 <= distance <= 1:
        raise InputError(f"expected cliques of at least 2 and a distance of 0 to 1, got {size} and {distance}")
    if len(generations) > MAX_GENERATIONS or min(generations.shape[2:]) < GRID:
        raise InputError(
            f"expected at most {MAX_GENERATIONS:,} generations with sides of {GRID} px or more, got {generations.shape}"
        )
    related = relate(generations, distance)
    cliques = [Clique(members, _medoid(generations, members)) for members in _take_cliques(related, len(generations), size)]
    return sorted(cliques, key=lambda clique: (-len(clique.members), clique.representative))


def relate(generations: Pixels, distance: float) -> Bits:
    """Say which generations are near identical: bits of a symmetric matrix without its diagonal, uint8 (G, G / 8)."""
    tiles, sizes = _cut(generations)
    squares = (tiles**2).sum(axis=2)
    count = len(generations)
    related = np.zeros((count, -(-count // 8)), dtype=np.uint8)
    for start in range(0, count, BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        worst = np.zeros((len(tiles[rows]), count - start))
        for tile in range(GRID * GRID):
            products = tiles[rows, tile] @ tiles[start:, tile].T
            sums = squares[rows, tile, None] + squares[None, start:, tile] - 2 * products
            np.maximum(worst, sums / sizes[tile], out=worst)
        near = np.sqrt(worst) / PEAK <= distance
        np.fill_diagonal(near, val=False)
        # Blocks begin at whole bytes; what is found for a row and a later one holds for the later one too.
        related[rows, start // 8 :] = np.packbits(near, axis=1)
        columns = np.packbits(near.T, axis=1)
        related[start:, start // 8 : start // 8 + columns.shape[1]] = columns
    return related


def _cut(generations: Pixels) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cut into tiles: float64 (G, 16, P), rows of smaller tiles filled up with zeros, and the true size of each."""
    count, _, height, width = generations.shape
    rows, columns = (list(pairwise(tile_edges(side_px).tolist())) for side_px in (height, width))
    parts = [generations[:, :, top:bottom, left:right].reshape(count, -1) for top, bottom in rows for left, right in columns]
    sizes = np.array([part.shape[1] for part in parts], dtype=np.int64)
    tiles = np.zeros((count, GRID * GRID, sizes.max()))
    for tile, part in enumerate(parts):
        tiles[:, tile, : part.shape[1]] = part
    return tiles, sizes


def _take_cliques(related: Bits, count: int, size: int) -> list[tuple[int, ...]]:
    free = np.packbits(np.ones(count, dtype=np.bool_))
    degrees = _count_related(related, free)
    untried = np.ones(count, dtype=np.bool_)
    cliques: list[tuple[int, ...]] = []
    while True:
        seeds = np.flatnonzero(untried & (degrees >= size - 1))
        if len(seeds) == 0:
            return cliques
        seed = int(seeds[degrees[seeds].argmax()])
        members = _grow(related, free, degrees, seed, count)
        untried[seed] = False
        if len(members) >= size:
            cliques.append(tuple(sorted(members)))
            untried[members] = False
            mask = np.unpackbits(free, count=count).astype(np.bool_)
            mask[members] = False
            free = np.packbits(mask)
            degrees = _count_related(related, free)


def _grow(related: Bits, free: Bits, degrees: NDArray[np.int64], seed: int, count: int) -> list[int]:
    """Add what is related to all so far, most neighbours first."""
    members, common = [seed], related[seed] & free
    candidates = np.flatnonzero(np.unpackbits(common, count=count))
    for candidate in candidates[np.argsort(-degrees[candidates], kind="stable")].tolist():
        if common[candidate >> 3] >> (7 - (candidate & 7)) & 1:
            members.append(candidate)
            common = common & related[candidate]
    return members


def _count_related(related: Bits, free: Bits) -> NDArray[np.int64]:
    return np.asarray(np.bitwise_count(related & free).sum(axis=1, dtype=np.int64))


def _medoid(generations: Pixels, members: tuple[int, ...]) -> int:
    flat = generations[list(members)].reshape(len(members), -1).astype(np.float64)
    squares = (flat**2).sum(axis=1)
    gaps = np.maximum(squares[:, None] + squares[None] - 2 * flat @ flat.T, 0)
    return members[int(np.sqrt(gaps).sum(axis=1).argmin())]
