"""Every way in which a file is shown is judged: a copy is found in any frame and over any background, and is named."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.output_gate.checks.service import check_generation, check_generations, compare
from services.output_gate.gate import view_recipe
from services.output_gate.results.recorded import read_result
from services.output_gate.results.schemas import RecordedResult
from shared.errors import InputError
from shared.records.checks import Check
from shared.vision.views import build_view
from tests.support.broken_images import broken_files, palette_without_colours
from tests.support.factories import encode, picture, png
from tests.support.memory_gate import MemoryWorld

UNRELATED = 5_000


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


def test_more_frames_than_the_setting_are_refused_by_name(world: MemoryWorld) -> None:
    data = encode(picture(0), "GIF", save_all=True, append_images=[picture(seed) for seed in range(1, 70)])
    with pytest.raises(InputError, match="SLEEVE_MAX_IMAGE_FRAMES") as caught:
        check(world, data)
    assert caught.value.code == "image_too_many_frames"


def test_a_broken_file_never_decides_for_the_others(world: MemoryWorld) -> None:
    broken = [palette_without_colours(), *[data for _, data in broken_files()][::40]]
    outcomes = check_generations(world.gate, "model-a", [png(4), *broken, png(5)])
    first, *middle, last = outcomes
    assert isinstance(first, Check)
    assert isinstance(last, Check)
    assert isinstance(middle[0], InputError)
    assert all(isinstance(outcome, (Check, InputError)) for outcome in middle)
