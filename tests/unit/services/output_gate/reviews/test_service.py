"""Verdicts: one each, on what waits for one."""

import pytest

from services.output_gate.checks.service import check_generation
from services.output_gate.reviews.schemas import ReviewRequest
from services.output_gate.reviews.service import build_check_review, page_of_reviews, review_check, review_flag
from shared.errors import ConflictError, InputError, NotFoundError
from shared.http.paging import PageRequest
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld

CONFIRM, OVERTURN = ReviewRequest(verdict="confirm"), ReviewRequest(verdict="overturn", reason="a common motif")
# Every score but an identical picture's lies in this band.
BAND = {"version": 2, "false_positive_rate": None, "threshold": 0.999, "borderline": {"threshold": -1.0}}


def test_a_borderline_check_waits_and_is_confirmed_once(world: MemoryWorld) -> None:
    world.adopt(**BAND)
    check = check_generation(world.gate, "model-a", png(5_000))
    assert check.decision == "undecided"
    [waiting] = page_of_reviews(world.workspace, PageRequest()).items
    assert (waiting.id, waiting.kind, waiting.rule) == (check.id, "check", "ssim")
    with pytest.raises(NotFoundError):
        build_check_review(world.workspace, check.id)
    answer = review_check(world.workspace, check.id, CONFIRM, "key")
    assert review_check(world.workspace, check.id, CONFIRM, "key") == answer
    assert answer.flag_id is not None
    assert page_of_reviews(world.workspace, PageRequest()).items == []
    with pytest.raises(ConflictError) as caught:
        review_check(world.workspace, check.id, OVERTURN)
    assert caught.value.code == "reviewed_already"


def test_an_overturned_check_raises_no_flag(world: MemoryWorld) -> None:
    world.adopt(**BAND)
    check = check_generation(world.gate, "model-a", png(5_000))
    assert review_check(world.workspace, check.id, OVERTURN).flag_id is None


def test_only_what_waits_is_reviewed(world: MemoryWorld) -> None:
    check = check_generation(world.gate, "model-a", png(2))
    with pytest.raises(ConflictError) as caught:
        review_check(world.workspace, check.id, CONFIRM)
    assert caught.value.code == "check_not_borderline"
    [waiting] = page_of_reviews(world.workspace, PageRequest(), "flag").items
    with pytest.raises(InputError):
        review_flag(world.workspace, waiting.id, ReviewRequest(verdict="overturn"))
    assert review_flag(world.workspace, waiting.id, OVERTURN).state == "overturned"
    with pytest.raises(ConflictError):
        review_flag(world.workspace, waiting.id, CONFIRM)
