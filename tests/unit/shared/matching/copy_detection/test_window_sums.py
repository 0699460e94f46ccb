"""Block sums of an aligned pair, against naive sums; pairs without an item are left alone."""

import numpy as np

from shared.matching.copy_detection.indexed_views import STARTS, warp_views
from shared.matching.copy_detection.luma import fill_pyramid
from shared.matching.copy_detection.window_sums import BLOCKS, SUMS, compare_candidates
from tests.unit.shared.matching.copy_detection.drawings import draw

ITEMS = draw(2)


def compare(generation: np.ndarray, candidates: list[int], *, mirrored: bool = False) -> tuple[np.ndarray, np.ndarray]:
    count = len(candidates)
    placements = np.repeat(STARTS[:1], count, axis=0)[None].copy()
    blocks = np.zeros((1, count, SUMS, BLOCKS, BLOCKS), np.float32)
    sides = np.full((1, count), int(mirrored))
    compare_candidates(generation[None], ITEMS, np.array([candidates]), sides, placements, blocks, (0, count))
    return blocks[0], placements[0]


def luma(view: np.ndarray) -> np.ndarray:
    whole = np.empty((64, 64), np.float32)
    fill_pyramid(view, 0, whole, np.empty((32, 32), np.float32), np.empty((16, 16), np.float32))
    return whole.astype(np.float64)


def in_blocks(plane: np.ndarray) -> np.ndarray:
    return np.asarray(plane.reshape(16, 4, 16, 4).sum(axis=(1, 3)))


def test_an_item_laid_over_itself_has_naive_sums() -> None:
    [blocks], [placement] = compare(ITEMS[0], [0])
    np.testing.assert_allclose(placement, STARTS[0], atol=1e-3)
    plane = luma(ITEMS[0])
    np.testing.assert_array_equal(blocks[0], 16)
    np.testing.assert_allclose(blocks[1], in_blocks(plane), rtol=1e-4)
    np.testing.assert_allclose(blocks[2], in_blocks(plane), rtol=1e-3)
    np.testing.assert_allclose(blocks[3], in_blocks(plane**2), rtol=1e-4)
    np.testing.assert_allclose(blocks[5], in_blocks(plane**2), rtol=2e-3)


def test_a_mirrored_generation_is_laid_on_its_item() -> None:
    straight, _ = compare(ITEMS[0], [0])
    mirrored, _ = compare(np.ascontiguousarray(ITEMS[0][..., ::-1]), [0], mirrored=True)
    np.testing.assert_array_equal(mirrored, straight)


def test_positions_outside_the_item_are_left_out() -> None:
    shifted = warp_views(ITEMS[:1], np.array([1.0, 0, 8, 0]))[0]
    [blocks], [placement] = compare(shifted, [0])
    assert placement[2] > 6
    assert (blocks[0][:, :12] == 16).all()
    assert (blocks[0][:, -1] == 0).all()


def test_a_pair_without_an_item_is_left_alone() -> None:
    blocks, placements = compare(ITEMS[1], [-1, 1])
    assert not blocks[0].any()
    np.testing.assert_array_equal(placements[0], STARTS[0])
    assert blocks[1].any()
