"""The path of a check: admit, search, judge, record."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.output_gate.checks import service
from services.output_gate.checks.service import check_generation, check_generations, compare
from services.output_gate.gate import Gate, view_recipe
from services.output_gate.results.recorded import read_result
from shared.errors import ConflictError, CorruptStateError, InputError, NotFoundError, UnavailableError
from shared.records.checks import Check
from shared.records.models import Model
from shared.vision.views import Pixels, build_view
from tests.support.broken_images import broken_files, palette_without_colours
from tests.support.factories import encode, picture, png
from tests.support.memory_gate import MemoryCorpora, MemoryWorld
from tests.support.paths import ROOT

UNRELATED = 5_000


def test_a_copy_is_flagged_and_an_unrelated_picture_is_clear(world: MemoryWorld) -> None:
    copy = check_generation(world.gate, "model-a", encode(picture(2).resize((48, 48), Image.Resampling.BICUBIC)))
    unrelated = check_generation(world.gate, "model-a", png(UNRELATED))
    assert (copy.decision, unrelated.decision) == ("flag", "clear")
    result = read_result(copy)
    assert result.item_id == world.items[2].id
    assert result.p_value == pytest.approx(1 / 100)
    assert {finding.rule for finding in result.rules} >= {"ssim", "fused", "l2-ratio", "pdq"}
    assert read_result(unrelated).reason == "within_control"


def test_many_get_what_each_gets_alone(world: MemoryWorld) -> None:
    images = [png(1), png(UNRELATED), b"words", png(3)]
    together = check_generations(world.gate, "model-a", images)
    assert [outcome.decision if isinstance(outcome, Check) else outcome.code for outcome in together] == [
        "flag",
        "clear",
        "not_an_image",
        "flag",
    ]
    for data, outcome in zip(images, together, strict=True):
        if isinstance(outcome, Check):
            alone = read_result(check_generation(world.gate, "model-a", data))
            assert (alone.score, alone.p_value, alone.item_id) == (
                read_result(outcome).score,
                read_result(outcome).p_value,
                read_result(outcome).item_id,
            )


def test_a_key_has_one_effect(world: MemoryWorld) -> None:
    first = check_generation(world.gate, "model-a", png(1), "key")
    again, twice, same, other = check_generations(
        world.gate, "model-a", [png(1), png(7), png(7), png(8)], ["key", "k2", "k2", "k2"]
    )
    assert isinstance(again, Check)
    assert isinstance(twice, Check)
    assert isinstance(same, Check)
    assert (again.id, same.id) == (first.id, twice.id)
    assert isinstance(other, ConflictError)


def test_what_is_missing_makes_it_undecided_and_what_breaks_one_leaves_the_others(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = build_view(picture(UNRELATED), view_recipe(world.model))

    def break_at_poison(gate: Gate, model: Model, views: Pixels, *shown: Any) -> Any:
        if any((view == poison).all() for view in views):
            raise CorruptStateError("a step broke", code="search_short")
        return compare(gate, model, views, *shown)

    with monkeypatch.context() as patch:
        patch.setattr(service, "compare", break_at_poison)
        outcomes = check_generations(world.gate, "model-a", [png(1), png(UNRELATED), png(2)])
    reasons = [read_result(outcome).reason for outcome in outcomes if isinstance(outcome, Check)]
    assert reasons == ["above_control_threshold", "search_short", "above_control_threshold"]
    world.gate.index.remove([world.items[0].id])
    assert read_result(check_generation(world.gate, "model-a", png(1))).reason == "index_behind"


def test_a_nan_of_the_embedder_is_undecided(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    width = world.gate.embedder.dimensions
    monkeypatch.setattr(world.gate.embedder, "embed", lambda images: np.full((len(images), width), np.nan, np.float32))
    assert read_result(check_generation(world.gate, "model-a", png(1))).reason == "index_vector_length"


def test_the_index_is_searched_where_the_corpus_holds_no_vectors(world: MemoryWorld) -> None:
    held = check_generation(world.gate, "model-a", png(2))
    assert isinstance(world.gate.corpora, MemoryCorpora)
    world.gate.corpora.holds_vectors = False
    searched = check_generation(world.gate, "model-a", png(2))
    assert read_result(searched).rules == read_result(held).rules
    world.gate.index.clear()
    world.gate.indexer.rebuild()
    assert check_generation(world.gate, "model-a", png(2)).decision == "flag"


def test_nothing_is_decided_about_what_cannot_be_stored(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(world.workspace.blobs, "save_many", full)
    with pytest.raises(UnavailableError, match="cannot be kept"):
        check_generation(world.gate, "model-a", png(1))


def test_what_is_unknown_or_does_not_fit_is_an_error(world: MemoryWorld) -> None:
    assert check_generations(world.gate, "model-a", []) == []
    with pytest.raises(NotFoundError):
        check_generation(world.gate, "model-z", png(1))
    with pytest.raises(InputError, match="2 images and 1 keys"):
        check_generations(world.gate, "model-a", [png(1), png(2)], ["key"])


def test_a_check_in_memory_brings_no_torch() -> None:
    script = """
import sys, tempfile
from pathlib import Path
from services.output_gate.checks.service import check_generation
from shared.settings import Settings
from shared.workspace import open_workspace
from tests.support.factories import png
from tests.support.memory_gate import build_memory_world
with tempfile.TemporaryDirectory() as folder:
    world = build_memory_world(open_workspace(Settings(home=Path(folder), database_url=None)))
    print(check_generation(world.gate, "model-a", png(2)).decision, "torch" in sys.modules)
"""
    printed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "flag False"


def test_more_frames_than_the_setting_are_refused_by_name(world: MemoryWorld) -> None:
    data = encode(picture(0), "GIF", save_all=True, append_images=[picture(seed) for seed in range(1, 70)])
    with pytest.raises(InputError, match="SLEEVE_MAX_IMAGE_FRAMES") as caught:
        check_generation(world.gate, "model-a", data)
    assert caught.value.code == "image_too_many_frames"


def test_a_broken_file_never_decides_for_the_others(world: MemoryWorld) -> None:
    broken = [palette_without_colours(), *[data for _, data in broken_files()][::40]]
    outcomes = check_generations(world.gate, "model-a", [png(4), *broken, png(5)])
    first, *middle, last = outcomes
    assert isinstance(first, Check)
    assert isinstance(last, Check)
    assert isinstance(middle[0], InputError)
    assert all(isinstance(outcome, (Check, InputError)) for outcome in middle)
