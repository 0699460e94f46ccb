"""The judgement: which rule decides, which item it names, and in which frame, background and orientation it is shown."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from services.output_gate.checks.judgement import CheckEvidence
from services.output_gate.checks.service import check_generation, compare
from services.output_gate.gate import view_recipe
from services.output_gate.results.recorded import read_result
from services.output_gate.results.schemas import RecordedResult
from shared.vision.views import build_view
from tests.support.factories import encode, picture, png
from tests.support.memory_gate import CONTROL_SIZE, MemoryWorld

UNRELATED = 5_000


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
def test_a_turned_or_flipped_copy_is_flagged_by_ssim_alone_where_it_looks_in_all_orientations(
    world: MemoryWorld, turn: Image.Transpose
) -> None:
    turned = picture(4).transpose(turn)
    assert judge_picture(world, turned)[0].decision.outcome == "clear"
    world.adopt(version=2, rule="ssim-turned")
    [evidence] = judge_picture(world, turned)
    assert (evidence.decision.outcome, evidence.rule, evidence.item) == ("flag", "ssim-turned", world.items[4].id)
    assert judge_picture(world, picture(UNRELATED))[0].decision.outcome == "clear"


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


def check(world: MemoryWorld, data: bytes) -> RecordedResult:
    return read_result(check_generation(world.gate, "model-a", data))


def over_black_only(image: Image.Image) -> Image.Image:
    """A picture that shows itself over black, and pale or shrill colours otherwise."""
    colours = np.asarray(image, dtype=np.float64)
    alpha = np.maximum(colours.max(axis=2, keepdims=True), 1)
    return Image.fromarray(np.concatenate([colours / alpha * 255, alpha], axis=2).astype(np.uint8), "RGBA")


def under_alpha(image: Image.Image) -> Image.Image:
    """A picture that is wholly transparent."""
    image = image.convert("RGBA")
    image.putalpha(0)
    return image


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "MPO", "TIFF", "AVIF"])
def test_a_copy_in_a_later_frame_is_flagged(world: MemoryWorld, kind: str) -> None:
    frames = [picture(UNRELATED, 64), picture(UNRELATED + 1, 64), picture(4, 64)]
    options: dict[str, Any] = {"WEBP": {"lossless": True}, "MPO": {"quality": 98}, "AVIF": {"quality": 98}}
    result = check(
        world, encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **options.get(kind, {}))
    )
    assert (result.decision, result.item_id) == ("flag", world.items[4].id)
    assert result.variant is not None
    assert (result.variant.frame, result.variant.background, result.variant.judged) == (2, "white", 3)


@pytest.mark.parametrize(("hide", "background"), [(over_black_only, "black"), (under_alpha, "none")])
def test_a_copy_that_white_hides_is_flagged(
    world: MemoryWorld, hide: Callable[[Image.Image], Image.Image], background: str
) -> None:
    result = check(world, encode(hide(picture(4))))
    assert (result.decision, result.item_id) == ("flag", world.items[4].id)
    assert result.variant is not None
    assert result.variant.background == background


def test_one_opaque_frame_gets_the_very_same_figures(world: MemoryWorld) -> None:
    for seed in (4, UNRELATED):
        result = check(world, png(seed))
        view = build_view(picture(seed), view_recipe(world.model))
        [evidence] = compare(world.gate, world.model, view[None])
        assert (result.p_value, result.threshold) == (evidence.decision.p_value, evidence.decision.threshold)
        assert (result.score, result.attained_rate) == (evidence.decision.score, evidence.decision.attained_rate)
        assert tuple(result.rules) == evidence.rules
        assert result.variant is None


def test_frames_that_look_the_same_are_one_look(world: MemoryWorld) -> None:
    data = encode(picture(4), "TIFF", save_all=True, append_images=[picture(4)] * 3)
    result, single = check(world, data), check(world, png(4))
    assert (result.p_value, result.threshold) == (single.p_value, single.threshold)
    assert result.variant is not None
    assert (result.variant.frame, result.variant.judged) == (0, 1)


def test_looks_share_the_rate_and_multiply_the_p_value(world: MemoryWorld) -> None:
    frames = [picture(UNRELATED + seed, 64) for seed in range(4)]
    several = check(world, encode(frames[0], save_all=True, append_images=frames[1:]))
    alone = [check(world, encode(frame)) for frame in frames]
    smallest = min(result.p_value or 1 for result in alone)
    assert several.p_value == pytest.approx(min(4 * smallest, 1))
    assert (several.threshold or 0) >= (alone[0].threshold or 0)
    assert several.attained_rate == pytest.approx(4 * 0.01)  # of a control of 99: no look can attain less
    [finding] = [finding for finding in several.rules if finding.rule == "ssim"]
    assert finding.threshold == several.threshold
