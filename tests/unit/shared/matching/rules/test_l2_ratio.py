"""The ratio of the two nearest: taken outside the duplicates of the nearest."""

import numpy as np

from shared.matching.rules.l2_ratio import RULE
from tests.unit.shared.matching.blocks import apply_rule, blobs, build_block, noisy


def test_ratio_is_taken_outside_the_duplicates_of_the_nearest() -> None:
    twins = np.concatenate([blobs(1, 1), blobs(1, 1), blobs(1, 2)])
    assert apply_rule(RULE, build_block(noisy(twins[:1]), twins)).verdict(0) == "fired"
    alone = apply_rule(RULE, build_block(noisy(twins[:1]), twins[:2]))
    assert alone.verdict(0) == "undefined"
    assert "outside the duplicates" in alone.row(0)["reason"]
