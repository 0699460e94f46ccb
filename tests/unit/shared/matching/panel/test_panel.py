"""The panel on pictures whose relation is known: copies and strangers, its choice of rules, and agreement."""

from dataclasses import replace

import numpy as np
import pytest

from shared.errors import NotFoundError
from shared.matching.calibration.null_distribution import ControlScores
from shared.matching.panel.comparison_block import ItemScores
from shared.matching.panel.panel import build_agreement, build_panel, rule_names, score_control
from shared.matching.panel.registry import load_rules
from shared.matching.rules import pdq, tiled_l2
from tests.unit.shared.matching.blocks import apply_rules, blobs, build_block, flat, noisy

PUBLISHED = tuple(rule for rule in load_rules() if rule.threshold is not None and rule.embedder_kind is None)


def test_every_published_rule_fires_on_copies_and_names_the_item() -> None:
    training = blobs(80, 1)
    for result in apply_rules(PUBLISHED, build_block(noisy(training[:70]), training)):
        assert result.rate is not None
        assert result.rate.value > 0.99, result.rule.name
        assert result.scores.items.tolist() == list(range(70)), result.rule.name


def test_no_published_rule_fires_on_strangers() -> None:
    results = apply_rules(PUBLISHED, build_block(blobs(70, 2), blobs(80, 1)))
    assert {result.rule.name: int(result.fired.sum()) for result in results} == {rule.name: 0 for rule in PUBLISHED}


def test_the_panel_holds_the_rules_that_fit_the_embedder() -> None:
    assert rule_names("pixels:16")[:4] == ("ssim", "ssim-turned", "works", "fused")
    for embedder, its_own in (("open_clip:ViT-B-32:tag", "clip"), ("sscd:weights.safetensors", "sscd")):
        assert set(rule_names(embedder)) == {*rule_names("pixels:16"), its_own}


def test_the_panel_is_calibrated_on_the_control() -> None:
    thresholds = {"ssim": 0.3, "ssim-turned": 0.4, "fused": 2.0}
    control = ControlScores({name: (0.1, highest) for name, highest in thresholds.items()}, {})
    panel = build_panel(control, 0.001, "pixels:16")
    # Rules that came later may be lacking: this control was not measured by works.
    assert [rule.name for rule in panel] == [name for name in rule_names("pixels:16") if name != "works"]
    assert {rule.name: rule.threshold for rule in panel if rule.name in control.by_rule} == thresholds
    measured = ControlScores({**control.by_rule, "works": (-3.0, -2.0)}, {})
    assert [rule.name for rule in build_panel(measured, 0.001, "pixels:16")] == [*rule_names("pixels:16")]
    with pytest.raises(NotFoundError, match="clip"):
        build_panel(control, 0.001, "open_clip:ViT-B-32:tag")


def test_a_control_of_before_a_rule_makes_a_panel_without_it() -> None:
    panel = build_panel(ControlScores({"ssim": (0.1, 0.3), "fused": (1.0, 2.0)}, {}), 0.001, "pixels:16")
    assert {*rule_names("pixels:16")} - {rule.name for rule in panel} == {"ssim-turned", "works"}


def test_a_control_is_scored_by_the_rules_that_need_one() -> None:
    training = blobs(3, 1)
    block = build_block(noisy(training), training)
    assert set(score_control(block, "pixels:16")) == {"ssim", "ssim-turned"}
    copies = ItemScores(np.array([0.9, 0.2, 0.1]), np.array([2, 0, 1]))
    scores = score_control(replace(block, copies=copies), "open_clip:ViT-B-32:tag")
    assert set(scores) == {"ssim", "ssim-turned", "fused", "clip"}
    np.testing.assert_array_equal(scores["ssim"], block.best_ssim)
    np.testing.assert_array_equal(scores["fused"], copies.scores)
    np.testing.assert_array_equal(scores["clip"], block.cosines.max(axis=1))


def test_agreement_counts_only_where_both_are_defined() -> None:
    training = blobs(60, 1)
    generations = np.concatenate([noisy(training[:2]), blobs(1, 3), flat(1)])
    [agreement] = build_agreement(apply_rules([tiled_l2.RULE, pdq.RULE], build_block(generations, training)))
    assert (agreement.both, agreement.neither, agreement.trials) == (2, 1, 3)
    assert agreement.share == 1.0


def test_blocks_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    training = blobs(60, 1)
    block = build_block(np.concatenate([noisy(training[:9]), blobs(8, 4)]), training)
    whole = apply_rules(PUBLISHED, block)
    monkeypatch.setattr("shared.matching.panel.comparison_block.BLOCK_GENERATIONS", 5)
    parts = apply_rules(PUBLISHED, block)
    for undivided, joined in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(undivided.scores.values, joined.scores.values)
        np.testing.assert_array_equal(undivided.scores.items, joined.scores.items)
