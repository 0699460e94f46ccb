"""The fused rule: the copy detector's scores, undefined where there is no candidate or no detector."""

from dataclasses import replace

import numpy as np

from shared.matching.panel.comparison_block import ItemScores
from shared.matching.rules.fused import RULE
from tests.unit.shared.matching.blocks import apply_rule, blobs, build_block, noisy


def test_it_takes_score_and_item_from_the_copy_detector() -> None:
    training = blobs(3, 1)
    copies = ItemScores(np.array([0.9, 0.2, -np.inf]), np.array([2, 0, -1]))
    result = apply_rule(RULE, replace(build_block(noisy(training), training), copies=copies))
    assert [result.verdict(row) for row in range(3)] == ["fired", "not_fired", "undefined"]
    assert result.row(0)["item"] == 2
    assert result.row(2)["reason"] == "no candidate was found"


def test_it_is_undefined_without_a_copy_detector() -> None:
    training = blobs(3, 1)
    result = apply_rule(RULE, build_block(noisy(training), training))
    assert result.scores.undefined == ("no copy detector was asked",) * 3
    assert result.rate is None
