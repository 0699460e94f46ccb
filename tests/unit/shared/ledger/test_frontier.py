"""The right edge of a tree: its root is the tree's, and full tiles come once, whatever the steps in which it grew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ledger.frontier import TILE_WIDTH, Frontier, Tile
from shared.ledger.merkle import EMPTY_ROOT, leaf_hash, root_of

LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(3 * TILE_WIDTH + 5)]


@given(st.lists(st.integers(0, TILE_WIDTH + 2), max_size=6))
def test_the_root_and_the_tiles_do_not_depend_on_the_steps(steps: list[int]) -> None:
    stepwise, at_once = Frontier(), Frontier()
    tiles: list[Tile] = []
    size = 0
    for step in steps:
        tiles += stepwise.extend(LEAVES[size : size + step])
        size = min(size + step, len(LEAVES))
    assert tiles == at_once.extend(LEAVES[:size])
    assert stepwise.partial_tiles() == at_once.partial_tiles()
    assert (stepwise.size, stepwise.root()) == (size, root_of(LEAVES[:size]))


def test_an_empty_tree_has_the_empty_root_and_no_tiles() -> None:
    frontier = Frontier()
    assert (frontier.size, frontier.root(), frontier.partial_tiles(), frontier.extend([])) == (0, EMPTY_ROOT, [], [])


def test_a_full_tile_is_handed_out_once_and_is_one_hash_above() -> None:
    frontier = Frontier()
    assert frontier.extend(LEAVES[: TILE_WIDTH - 1]) == []
    assert frontier.extend(LEAVES[TILE_WIDTH - 1 : TILE_WIDTH]) == [Tile(0, 0, b"".join(LEAVES[:TILE_WIDTH]))]
    assert frontier.partial_tiles() == [Tile(1, 0, root_of(LEAVES[:TILE_WIDTH]))]
    assert [(tile.level, tile.index) for tile in frontier.extend(LEAVES[TILE_WIDTH : 3 * TILE_WIDTH])] == [(0, 1), (0, 2)]


def test_a_tile_of_the_level_above_becomes_full_with_the_one_below() -> None:
    first = [leaf_hash(number.to_bytes(4, "big")) for number in range(TILE_WIDTH * TILE_WIDTH)]
    tiles = Frontier().extend(first)
    assert [(tile.level, tile.index) for tile in tiles[-2:]] == [(0, TILE_WIDTH - 1), (1, 0)]
    assert root_of([tiles[-1].hashes[start : start + 32] for start in range(0, 32 * TILE_WIDTH, 32)]) == root_of(first)


@pytest.mark.parametrize("size", [1, TILE_WIDTH, TILE_WIDTH + 1, len(LEAVES)])
def test_a_tree_goes_on_from_its_edge(size: int) -> None:
    grown = Frontier()
    grown.extend(LEAVES[:size])
    edge = {tile.level: [tile.hashes[at : at + 32] for at in range(0, len(tile.hashes), 32)] for tile in grown.partial_tiles()}
    resumed = Frontier(size, [edge.get(level, []) for level in range(max(edge) + 1)])
    assert resumed.extend(LEAVES[size:]) == grown.extend(LEAVES[size:])
    assert resumed.root() == root_of(LEAVES)
