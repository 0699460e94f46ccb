"""The judgement: which rule decides, which item it names, and in which way the generation shows it."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from services.output_gate.checks.judgement import CheckEvidence
from services.output_gate.checks.service import compare
from services.output_gate.gate import view_recipe
from shared.vision.views import build_view
from tests.support.factories import picture
from tests.support.memory_gate import CONTROL_SIZE, MemoryWorld


def judge_picture(world: MemoryWorld, *images: object) -> list[CheckEvidence]:
    gate = world.gate.under_policy_in_force()
    return compare(gate, world.model, np.stack([build_view(image, view_recipe(world.model)) for image in images]))  # type: ignore[arg-type]


def test_a_copy_names_its_item_and_what_the_decision_rests_on(world: MemoryWorld) -> None:
    [evidence] = judge_picture(world, picture(4))
    assert (evidence.decision.outcome, evidence.rule, evidence.item) == ("flag", "ssim", world.items[4].id)
    assert evidence.cluster == (world.items[4].id,)
    assert evidence.control_size == CONTROL_SIZE
    assert evidence.metrics is not None
    assert evidence.metrics.identical
    [finding] = [finding for finding in evidence.rules if finding.rule == "fused"]
    assert (finding.item, finding.kind) == (world.items[4].id, "whole")


def test_a_mirrored_copy_is_found_by_the_copy_detector_and_not_by_ssim(world: MemoryWorld) -> None:
    mirrored = ImageOps.mirror(picture(4))
    assert judge_picture(world, mirrored)[0].decision.outcome == "clear"
    world.adopt(version=2, rule=None, rules=["fused", "ssim"])
    [evidence] = judge_picture(world, mirrored)
    assert (evidence.decision.outcome, evidence.rule, evidence.item) == ("flag", "fused", world.items[4].id)
    assert evidence.kind_figures is not None
    assert evidence.kind_figures.mirrored


@pytest.mark.parametrize("turn", Image.Transpose)
def test_a_turned_or_flipped_copy_is_flagged_and_how_it_is_turned_is_told(world: MemoryWorld, turn: Image.Transpose) -> None:
    world.adopt(version=2, rule=None, rules=["fused", "ssim"])
    [evidence] = judge_picture(world, picture(4).transpose(turn))
    assert (evidence.decision.outcome, evidence.rule, evidence.item) == ("flag", "fused", world.items[4].id)
    figures = evidence.kind_figures
    assert figures is not None
    half = {Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM}
    expected = 180 if turn in half else 0 if turn is Image.Transpose.FLIP_LEFT_RIGHT else 90
    assert abs(figures.turned_degrees - expected) < 2
    assert figures.mirrored == ("ROTATE" not in turn.name)


def test_a_control_that_was_read_in_two_orientations_stays_in_force_so(world: MemoryWorld) -> None:
    world.adopt(version=2, rule=None, rules=["fused", "ssim"])
    ready = world.gate.under_policy_in_force().load_ready_model(world.model)
    assert ready.orientations == 8
    pipeline = {name: value for name, value in ready.scores.pipeline.items() if name != "orientations"}
    earlier = replace(ready, scores=replace(ready.scores, pipeline=pipeline))
    assert earlier.orientations == 2


def test_each_gets_what_it_gets_alone(world: MemoryWorld) -> None:
    pictures = [picture(4), picture(5_000), picture(1)]
    together = judge_picture(world, *pictures)
    alone = [judge_picture(world, single)[0] for single in pictures]
    assert [evidence.decision for evidence in together] == [evidence.decision for evidence in alone]
    assert [evidence.rules for evidence in together] == [evidence.rules for evidence in alone]
