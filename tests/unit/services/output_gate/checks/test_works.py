"""Works in whole pictures: each is named with its place, what was not examined is said, and damage never clears."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from services.output_gate.checks.answers import show_check
from services.output_gate.checks.service import check_generation
from services.output_gate.checks.works import classify_work
from services.output_gate.completeness.count import CompletenessCount
from services.output_gate.flags.schemas import FlagStepRequest
from services.output_gate.flags.service import build_flag_answer, step_flag
from services.output_gate.policy.dry_run import run_dry
from services.output_gate.results.recorded import read_result
from services.output_gate.results.schemas import PlacedWork, RecordedResult
from services.output_gate.reviews.schemas import ReviewRequest
from services.output_gate.reviews.service import review_flag
from shared.errors import CorruptStateError
from shared.matching.calibration.null_distribution import ControlScores
from shared.matching.whole_picture.overlay import lay_over
from shared.records.flags import find_flags_of_check
from shared.records.models import list_calibrations
from shared.workspace import Workspace
from tests.support.factories import encode
from tests.support.memory_gate import MemoryWorld, build_memory_world, build_policy
from tests.unit.shared.matching.whole_picture.pictures import load_photograph

NAMES = ("astronaut", "chelsea", "coffee")
STILL = np.array([[1.0, 0, 0], [0, 1, 0]])


@pytest.fixture
def photographs(workspace: Workspace) -> MemoryWorld:
    return build_memory_world(workspace, pictures=[load_photograph(name) for name in NAMES], rule="works")


def check(world: MemoryWorld, image: Image.Image) -> RecordedResult:
    return read_result(check_generation(world.gate, "model-a", encode(image)))


def page_with(*placed: tuple[str, tuple[int, int, int, int]]) -> Image.Image:
    """A wide page that shows photographs in boxes (left, top, right, bottom)."""
    page = load_photograph("rocket").resize((960, 480))
    for name, (left, top, right, bottom) in placed:
        page.paste(load_photograph(name).resize((right - left, bottom - top), Image.Resampling.BICUBIC), (left, top))
    return page


def bounds(work: PlacedWork, size: tuple[int, int]) -> np.ndarray:
    corners = np.array(work.region) * size
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


def test_a_work_at_the_side_of_a_wide_picture_is_flagged_with_its_place(photographs: MemoryWorld) -> None:
    result = check(photographs, page_with(("chelsea", (20, 100, 320, 300))))
    assert (result.decision, result.rule, result.item_id) == ("flag", "works", photographs.items[1].id)
    [work] = result.works
    assert (work.item, work.fired, work.kind) == (photographs.items[1].id, True, "transformed")
    np.testing.assert_allclose(bounds(work, (960, 480)), [20, 100, 320, 300], atol=20)
    assert work.share_of_generation == pytest.approx(300 * 200 / (960 * 480), rel=0.2)
    assert work.share_of_item > 0.8
    assert work.features > 10
    # The work's own corners, by the placement, are where it was put.
    matrix = np.array(work.placement).reshape(2, 3)
    corners = np.array([[0, 0, 1], [1, 1, 1]]) @ matrix.T * (960, 480)
    np.testing.assert_allclose(corners, [[20, 100], [320, 300]], atol=8)


def test_every_work_in_a_picture_is_named_once(photographs: MemoryWorld) -> None:
    result = check(photographs, page_with(("chelsea", (10, 20, 340, 240)), ("coffee", (560, 200, 920, 440))))
    assert {work.item for work in result.works} == {photographs.items[1].id, photographs.items[2].id}
    assert all(work.fired and work.p_value <= 0.02 for work in result.works)
    assert result.works[0].score >= result.works[1].score


def test_every_work_in_a_picture_has_a_flag_that_is_paid(photographs: MemoryWorld) -> None:
    world = photographs
    page = encode(page_with(("chelsea", (10, 20, 340, 240)), ("coffee", (560, 200, 920, 440))))
    made = check_generation(world.gate, "model-a", page, "page")
    assert check_generation(world.gate, "model-a", page, "page").id == made.id
    answer = show_check(world.workspace, made.id)
    with world.workspace.reading() as session:
        flags = [build_flag_answer(session, flag) for flag in find_flags_of_check(session, made.id)]
    assert [flag.id for flag in flags] == answer.flag_ids
    assert answer.flag_id == answer.flag_ids[0]
    assert [flag.item_id for flag in flags] == [work.item for work in answer.works]
    assert {flag.item_id for flag in flags} == {world.items[1].id, world.items[2].id}
    assert [flag.kind for flag in flags] == [work.kind for work in answer.works]
    for flag in flags:
        assert ([owner.amount_minor for owner in flag.owners], flag.held) == ([1001], None)
        review_flag(world.workspace, flag.id, ReviewRequest(verdict="confirm"))
        step_flag(world.workspace, flag.id, FlagStepRequest(step="notify", role="compliance"))
        step_flag(world.workspace, flag.id, FlagStepRequest(step="accept", role="compliance"))
        assert step_flag(world.workspace, flag.id, FlagStepRequest(step="pay", role="finance")).state == "paid"
    counted = CompletenessCount(world.workspace).bring_up()
    assert (counted.gaps, counted.recount.raised, dict(counted.recount.outcomes)) == ((), 2, {"paid": 2})
    run = run_dry(world.workspace, build_policy(rule="works"), None)
    assert (run.unchanged, run.further_flags) == (1, 1)


@pytest.mark.parametrize("change", [ImageOps.mirror, lambda image: image.rotate(90, expand=True)], ids=["mirrored", "turned"])
def test_mirrored_and_turned_works_are_found(photographs: MemoryWorld, change: Callable[[Image.Image], Image.Image]) -> None:
    result = check(photographs, change(load_photograph("coffee").crop((100, 60, 400, 300))))
    assert (result.decision, result.item_id) == ("flag", photographs.items[2].id)
    assert result.works[0].kind in {"transformed", "part"}


def test_a_stranger_is_clear_and_its_likeliest_work_is_named_as_such(photographs: MemoryWorld) -> None:
    result = check(photographs, load_photograph("rocket"))
    assert (result.decision, result.reason) == ("clear", "within_control")
    [work] = result.works
    assert not work.fired
    assert result.unexamined is not None
    assert result.unexamined < 0.2


def test_what_was_not_examined_is_undecided_where_the_policy_bounds_it(photographs: MemoryWorld) -> None:
    # Soft waves beside a sharp picture: something is drawn there, and no place of it can be recognised.
    waves = 128 + 60 * np.sin(np.linspace(0, 12, 1200))[None, :, None] * np.ones((300, 1, 3))
    page = Image.fromarray(waves.astype(np.uint8))
    page.paste(load_photograph("rocket").resize((300, 300)), (450, 0))
    clear = check(photographs, page)
    assert clear.decision == "clear"
    assert clear.unexamined is not None
    assert clear.unexamined > 0.3
    photographs.adopt(version=2, rule="works", most_unexamined=0.3)
    assert (check(photographs, page).decision, check(photographs, page).reason) == ("undecided", "not_all_examined")


def test_damaged_features_are_undecided(photographs: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = photographs.gate.under_policy_in_force().load_ready_model(photographs.model)

    def fail(_row: int) -> None:
        raise CorruptStateError("the features of an item are damaged", code="features_damaged")

    assert ready.corpus.works is not None
    monkeypatch.setattr(ready.corpus.works.corpus, "load_features", fail)
    result = check(photographs, load_photograph("coffee"))
    assert (result.decision, result.reason) == ("undecided", "features_damaged")


def test_a_control_of_other_features_is_undecided(photographs: MemoryWorld) -> None:
    with photographs.workspace.writing() as session:
        [calibration] = list_calibrations(session, photographs.model.id)
        pipeline = {**calibration.pipeline, "works": {"features": "others"}}
        scores = ControlScores({rule: tuple(values) for rule, values in calibration.scores.items()}, pipeline)
        calibration.pipeline, calibration.sha256 = pipeline, scores.sha256
        session.add(calibration)
    result = check(photographs, load_photograph("coffee"))
    assert (result.decision, result.reason) == ("undecided", "calibrated_otherwise")


def test_a_policy_of_works_is_undecided_about_a_model_whose_control_was_not_measured_by_it(world: MemoryWorld) -> None:
    world.adopt(version=2, rule="works")
    result = check(world, load_photograph("coffee"))
    assert (result.decision, result.reason) == ("undecided", "rule_not_calibrated")


def test_the_kind_of_a_work_is_told_by_its_place() -> None:
    item = np.asarray(load_photograph("chelsea"))
    whole = lay_over(item, item, STILL)
    assert whole is not None
    assert classify_work(whole, STILL) == "whole"
    assert classify_work(whole, STILL * [[-1], [1]]) == "transformed"
    assert classify_work(replace(whole, share_of_item=0.3), STILL) == "part"
    assert classify_work(replace(whole, contradicted=0.3), STILL) == "part"
    assert classify_work(replace(whole, agreement=0.2), STILL) == "unspecified"


def test_a_strip_whose_sides_nothing_can_look_at_is_not_wholly_examined(photographs: MemoryWorld) -> None:
    strip = Image.new("RGB", (4000, 300))
    for at in range(8):
        strip.paste(load_photograph("rocket").resize((500, 300)), (at * 500, 0))
    result = check(photographs, strip)
    assert result.unexamined is not None
    assert result.unexamined > 0.3


def test_features_are_made_only_where_a_policy_asks_for_works(photographs: MemoryWorld) -> None:
    def ready(of: MemoryWorld) -> bool:
        return of.gate.under_policy_in_force().load_ready_model(of.model).corpus.works is not None

    assert ready(photographs)
    photographs.adopt(version=2, rule="fused")
    assert not ready(photographs)
