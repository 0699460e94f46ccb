"""Admission: what is decoded once, and slots that hold one check each."""

import pytest

from services.output_gate.checks.admission import AlreadyDecidedError, Generation, KeySlot, PlaceSlot, admit
from services.output_gate.checks.service import check_generation
from shared.errors import ConflictError, InputError
from shared.records.batches import BatchedCheck
from shared.records.checks import Check
from tests.support.factories import png
from tests.support.memory_gate import RESOLUTION_PX, MemoryWorld


def test_a_generation_is_admitted_with_its_view_and_fingerprint(world: MemoryWorld) -> None:
    generation = admit(world.gate, world.model, png(9), KeySlot(None, "0" * 64))
    assert isinstance(generation, Generation)
    assert generation.views.shape == (1, 3, RESOLUTION_PX, RESOLUTION_PX)
    assert len(generation.output.pdq) == 32
    assert list(generation.timings.milliseconds) == ["decode", "fingerprint"]


def test_bytes_that_are_no_image_are_refused_before_the_slot_is_asked(world: MemoryWorld) -> None:
    check_generation(world.gate, "model-a", png(9), "key")
    with pytest.raises(InputError):
        admit(world.gate, world.model, b"words", KeySlot("key", "0" * 64))


def test_a_filled_slot_gives_its_check_and_another_request_is_a_conflict(world: MemoryWorld) -> None:
    check = check_generation(world.gate, "model-a", png(9), "key")
    earlier = admit(world.gate, world.model, png(9), KeySlot.for_image("key", world.model, png(9)))
    assert isinstance(earlier, Check)
    assert earlier.id == check.id
    with pytest.raises(ConflictError):
        admit(world.gate, world.model, png(8), KeySlot.for_image("key", world.model, png(8)))


def test_a_place_is_filled_once(world: MemoryWorld) -> None:
    check = check_generation(world.gate, "model-a", png(9))
    with world.workspace.writing() as session:
        session.add(BatchedCheck(batch_id="batch", position=0))
    slot = PlaceSlot("batch", 0)
    with world.workspace.writing() as session:
        assert slot.find_check(session) is None
        slot.fill(session, check.id)
    with world.workspace.reading() as session:
        assert slot.find_check(session) == check.id
    with pytest.raises(AlreadyDecidedError), world.workspace.writing() as session:
        slot.fill(session, check.id)
