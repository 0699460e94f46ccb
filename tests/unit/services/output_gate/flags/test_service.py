"""Flags as they are shown and stepped with, by anyone who may."""

import pytest

from services.output_gate.checks.service import check_generation
from services.output_gate.flags.schemas import FlagStepRequest
from services.output_gate.flags.service import build_flag_history, page_of_flags, show_flag, step_flag
from services.output_gate.reviews.schemas import ReviewRequest
from services.output_gate.reviews.service import review_flag
from shared.errors import ConflictError, InputError, NotFoundError, PreconditionError
from shared.http.entity_tags import build_etag
from shared.http.paging import PageRequest
from shared.ledger.verify import verify_receipt
from shared.records.flags import find_flags_of_check
from tests.support.factories import png
from tests.support.memory_gate import MemoryWorld

NOTIFY = FlagStepRequest(step="notify", role="compliance", name="Conny", note="by letter")


def raise_one(world: MemoryWorld, seed: int = 2) -> str:
    check = check_generation(world.gate, "model-a", png(seed))
    with world.workspace.reading() as session:
        [flag] = find_flags_of_check(session, check.id)
    return flag.id


def test_a_flag_names_its_owners_and_what_may_follow(world: MemoryWorld) -> None:
    flag = show_flag(world.workspace, raise_one(world))
    assert (flag.state, flag.item_id, flag.amount_minor, flag.held) == ("raised", world.items[2].id, 1001, None)
    assert [(owner.name, owner.share, owner.amount_minor) for owner in flag.owners] == [("Olga Owner", 1.0, 1001)]
    assert flag.next_steps == ["confirm", "overturn", "hold"]
    with pytest.raises(NotFoundError):
        show_flag(world.workspace, "nothing")


def test_a_step_is_taken_once_for_each_key_and_only_where_it_may(world: MemoryWorld) -> None:
    flag_id = raise_one(world)
    with pytest.raises(ConflictError):
        step_flag(world.workspace, flag_id, NOTIFY)
    review_flag(world.workspace, flag_id, ReviewRequest(verdict="confirm"))
    first = step_flag(world.workspace, flag_id, NOTIFY, idempotency_key="key")
    assert step_flag(world.workspace, flag_id, NOTIFY, idempotency_key="key") == first
    assert [(step.step, step.state) for step in first.steps] == [("confirm", "reviewed"), ("notify", "notified")]
    with pytest.raises(ConflictError):
        step_flag(world.workspace, flag_id, FlagStepRequest(step="accept", role="owner"), idempotency_key="key")


def test_a_flag_that_was_changed_since_it_was_read_stays_as_it_is(world: MemoryWorld) -> None:
    flag_id = raise_one(world)
    hold = FlagStepRequest(step="hold", role="finance", reason="audit")
    read = build_etag(show_flag(world.workspace, flag_id))
    held = step_flag(world.workspace, flag_id, hold, if_match=read)
    assert held.held == "on_hold"
    release = FlagStepRequest(step="release", role="compliance", reason="audited")
    with pytest.raises(PreconditionError):
        step_flag(world.workspace, flag_id, release, if_match=read)
    assert step_flag(world.workspace, flag_id, release, if_match=build_etag(held)).held is None


def test_a_flag_is_waived_for_a_reason_of_the_policy_alone(world: MemoryWorld) -> None:
    flag_id = raise_one(world)
    review_flag(world.workspace, flag_id, ReviewRequest(verdict="confirm"))
    with pytest.raises(InputError) as caught:
        step_flag(world.workspace, flag_id, FlagStepRequest(step="waive", role="compliance", reason="whim"))
    assert caught.value.code == "waiver_reason"
    waived = step_flag(world.workspace, flag_id, FlagStepRequest(step="waive", role="compliance", reason="licensed"))
    assert (waived.state, waived.next_steps) == ("waived", [])


def test_the_history_proves_each_step_and_opens_its_commitments(world: MemoryWorld) -> None:
    flag_id = raise_one(world)
    review_flag(world.workspace, flag_id, ReviewRequest(verdict="confirm"))
    step_flag(world.workspace, flag_id, NOTIFY)
    entries = build_flag_history(world.workspace, flag_id).entries
    assert [entry.type for entry in entries] == ["check.decided", "flag.raised", "flag.reviewed", "flag.notified"]
    assert entries[-1].opened == {"actor.name": "Conny", "note": "by letter"}
    for entry in entries:
        verify_receipt(entry.receipt, world.workspace.log.vkey)


def test_pages_are_oldest_first_and_filtered(world: MemoryWorld) -> None:
    flags = [raise_one(world, seed) for seed in (1, 2, 3)]
    first = page_of_flags(world.workspace, PageRequest(limit=2))
    rest = page_of_flags(world.workspace, PageRequest(first.next_cursor, 2))
    assert [flag.id for flag in (*first.items, *rest.items)] == flags
    assert [flag.id for flag in page_of_flags(world.workspace, PageRequest(), item_id=world.items[2].id).items] == [flags[1]]
