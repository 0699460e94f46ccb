"""The worst of 16 tiles: one that differs is enough."""

from shared.matching.rules import l2_ratio, tiled_l2
from tests.unit.shared.matching.blocks import apply_rules, blobs, build_block


def test_one_changed_tile_is_enough_not_to_fire() -> None:
    training = blobs(60, 1)
    altered = training[:1].copy()
    altered[0, :, :16, :16] = 255 - altered[0, :, :16, :16]
    tiled, ratio = apply_rules([tiled_l2.RULE, l2_ratio.RULE], build_block(altered, training))
    assert tiled.verdict(0) == "not_fired"
    assert ratio.scores.items[0] == 0
