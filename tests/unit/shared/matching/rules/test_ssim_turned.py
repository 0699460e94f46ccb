"""The rule of the best SSIM over the eight orientations: turned copies fire, which the upright rule does not see."""

from dataclasses import replace

import numpy as np

from shared.matching.calibration.null_distribution import NullDistribution
from shared.matching.copy_detection.orientations import ORIENTATIONS, turn_views
from shared.matching.panel.panel import evaluate, score_control
from shared.matching.rules.ssim import RULE as UPRIGHT
from shared.matching.rules.ssim_turned import RULE
from tests.unit.shared.matching.blocks import CONTROL, apply_rules, blobs, build_block, noisy
from tests.unit.shared.matching.copy_detection.drawings import draw


def test_it_fires_on_turned_copies_and_the_upright_rule_does_not() -> None:
    training = blobs(10, 1)
    block = build_block(turn_views(noisy(training[:3]), 3), training)
    turned, upright = apply_rules([RULE, UPRIGHT], block)
    assert turned.rule.threshold == max(CONTROL.scores)
    assert turned.fired.all()
    assert turned.scores.items.tolist() == [0, 1, 2]
    assert not upright.fired.any()


def test_flat_art_fires_in_every_orientation_above_the_best_of_eight_of_its_control() -> None:
    training, held_out = draw(60, 1), draw(60, 2)
    control = NullDistribution(tuple(score_control(build_block(held_out, training), "pixels:16")["ssim-turned"].tolist()))
    upright = score_control(build_block(held_out, training), "pixels:16")["ssim"]
    assert (np.sort(control.scores) >= np.sort(upright)).all()
    for orientation in range(ORIENTATIONS):
        block = build_block(turn_views(noisy(training), orientation), training)
        [result] = evaluate([RULE.with_threshold(control, 0.001)], block)
        assert result.fired.mean() > 0.95, orientation
        assert (result.scores.items == np.arange(len(training)))[result.fired].all()


def test_it_is_undefined_where_it_was_not_searched_for() -> None:
    training = blobs(10, 1)
    [result] = apply_rules([RULE], replace(build_block(training[:2], training), turned=None))
    assert np.isnan(result.scores.values).all()
    assert not result.fired.any()
