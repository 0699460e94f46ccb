"""Compare a generation with an item laid over it: sums of luma and its products in 16 × 16 blocks of 4 × 4 px.

Rules, in order:

1. The item's smoothed luma is sampled at the placement (rule 1 of `alignment`). Positions outside the item are left out.
2. A block holds six sums: positions, generation, item, generation², item², generation · item.
3. Windows of 8 × 8 px, 4 px apart, are four blocks each (`copy_evidence`).
"""

import numpy as np
from numpy.typing import NDArray

from shared.compute.compiling import compiled_approximately
from shared.matching.copy_detection.alignment import align
from shared.matching.copy_detection.luma import fill_pyramid
from shared.matching.copy_detection.orientations import ORIENTATIONS

BLOCKS, BLOCK_PX, SUMS = 16, 4, 6

Floats = NDArray[np.float32]
_U = np.uintp
_F = np.float32


@compiled_approximately
def _add_row(row: Floats, item: Floats, y: float, placement: Floats, columns: Floats) -> None:
    """Add one row of the generation to the six sums of each column."""
    centre, edge = _F(31.5), _F(62.999)
    a, b = placement[0], placement[1]
    u_start = -b * _F(y) + placement[2] + centre
    v_start = a * _F(y) + placement[3] + centre
    for i in range(64):
        x = _F(np.int32(i)) - centre
        u, v = a * x + u_start, b * x + v_start
        u_in, v_in = min(max(u, _F(0)), edge), min(max(v, _F(0)), edge)
        # Half a pixel beyond the outermost centres is still the item.
        is_inside = _F(1) if (abs(u - u_in) < _F(0.51)) & (abs(v - v_in) < _F(0.51)) else _F(0)
        column, line = np.int32(u_in), np.int32(v_in)
        du, dv = u_in - _F(column), v_in - _F(line)
        at = _U(line) * _U(64) + _U(column)
        top = item[at] + du * (item[at + _U(1)] - item[at])
        bottom = item[at + _U(64)] + du * (item[at + _U(65)] - item[at + _U(64)])
        item_luma, generation_luma = (top + dv * (bottom - top)) * is_inside, row[i] * is_inside
        columns[0, i] += is_inside
        columns[1, i] += generation_luma
        columns[2, i] += item_luma
        columns[3, i] += generation_luma * generation_luma
        columns[4, i] += item_luma * item_luma
        columns[5, i] += generation_luma * item_luma


@compiled_approximately
def _fill_blocks(generation: Floats, item: Floats, placement: NDArray[np.float64], blocks: Floats) -> None:
    columns, local, flat = np.zeros((6, 64), np.float32), placement.astype(np.float32), item.ravel()
    for y in range(64):
        _add_row(generation[y], flat, y - 31.5, local, columns)
        if y % 4 == 3:
            for k in range(6):
                for j in range(16):
                    total = columns[k, 4 * j] + columns[k, 4 * j + 1] + columns[k, 4 * j + 2] + columns[k, 4 * j + 3]
                    blocks[k, y // 4, j] = total
            columns[:] = 0


@compiled_approximately
def compare_candidates(
    generations: NDArray[np.uint8],
    items: NDArray[np.uint8],
    candidates: NDArray[np.int64],
    orientations: NDArray[np.int64],
    placements: NDArray[np.float64],
    blocks: Floats,
    part: tuple[int, int],
) -> None:
    """Align and compare a part of the pairs.

    Args:
        generations: uint8 (g, 3, 64, 64).
        items: uint8 (n, 3, 64, 64).
        candidates: int64 (g, k), item indices, or -1 for none.
        orientations: int64 (g, k): in which the generation is read.
        placements: float64 (g, k, 6): where to start; where it ended is written over it.
        blocks: float32 (g, k, 6, 16, 16), zeros, written.
        part: first and last-plus-one pair, counted along the rows of candidates.
    """
    whole, half = np.empty((ORIENTATIONS, 64, 64), _F), np.empty((ORIENTATIONS, 32, 32), _F)
    quarter, prepared = np.empty((ORIENTATIONS, 16, 16), _F), np.full(ORIENTATIONS, -1)
    item_whole, item_half, item_quarter = np.empty((64, 64), _F), np.empty((32, 32), _F), np.empty((16, 16), _F)
    width = candidates.shape[1]
    for pair in range(part[0], part[1]):
        g, k = pair // width, pair % width
        if candidates[g, k] < 0:
            continue
        side = orientations[g, k]
        if prepared[side] != g:
            fill_pyramid(generations[g], side, whole[side], half[side], quarter[side])
            prepared[side] = g
        fill_pyramid(items[candidates[g, k]], 0, item_whole, item_half, item_quarter)
        align(half[side], quarter[side], item_half, item_quarter, placements[g, k])
        _fill_blocks(whole[side], item_whole, placements[g, k], blocks[g, k])
