"""The record: entry, row, flag, queue and messages together, or nothing."""

import pytest
from sqlmodel import func, select

from services.output_gate.checks.admission import Generation, KeySlot, PlaceSlot, admit
from services.output_gate.checks.recording import record, store_images
from services.output_gate.checks.service import check_generation, compare
from services.output_gate.results.recorded import read_result
from shared.errors import ConflictError, UnavailableError
from shared.records.batches import BatchedCheck
from shared.records.checks import Check
from shared.records.flags import Flag
from shared.records.outputs import Output
from shared.records.reviews import Review
from tests.support.factories import png
from tests.support.log_entries import open_entry
from tests.support.memory_gate import MemoryWorld


def admitted(world: MemoryWorld, data: bytes, slot: KeySlot | PlaceSlot) -> Generation:
    generation = admit(world.gate, world.model, data, slot)
    assert isinstance(generation, Generation)
    return generation


def test_a_check_is_one_entry_with_everything_that_follows_from_it(world: MemoryWorld) -> None:
    check = check_generation(world.gate, "model-a", png(2))
    world.workspace.log.integrate()
    entry = open_entry(world.workspace, check.entry_id)
    assert (entry.type, entry.subject["check"]) == ("check.decided", check.id)
    assert (entry.body["decision"], entry.body["item"]) == ("flag", world.items[2].id)
    with world.workspace.reading() as session:
        assert session.exec(select(Flag.check_id)).all() == [check.id]
        assert session.exec(select(Review.kind)).all() == ["flag"]
        assert session.exec(select(func.count()).select_from(Output)).one() == 1
    assert "Olga" not in str(check.result)
    assert read_result(check).matches[0].id == world.items[2].id


def test_of_two_with_one_slot_the_second_takes_the_first(world: MemoryWorld) -> None:
    same = [admitted(world, png(2), KeySlot.for_image("key", world.model, png(2))) for _ in range(2)]
    other = admitted(world, png(3), KeySlot.for_image("key", world.model, png(3)))
    evidence = [compare(world.gate, world.model, generation.views)[0] for generation in (*same, other)]
    first, second, third = record(world.gate, world.model, [*same, other], evidence)
    assert isinstance(first, Check)
    assert isinstance(second, Check)
    assert first.id == second.id
    assert isinstance(third, ConflictError)
    with world.workspace.reading() as session:
        assert session.exec(select(func.count()).select_from(Check)).one() == 1


def test_a_place_that_has_a_problem_by_now_keeps_it(world: MemoryWorld) -> None:
    with world.workspace.writing() as session:
        session.add(BatchedCheck(batch_id="batch", position=0, problem={"code": "image_damaged"}))
    generation = admitted(world, png(2), PlaceSlot("batch", 0))
    [outcome] = record(world.gate, world.model, [generation], compare(world.gate, world.model, generation.views))
    assert isinstance(outcome, ConflictError)
    assert outcome.code == "already_decided"


def test_a_folder_that_cannot_be_written_is_unavailable(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    generation = admitted(world, png(2), KeySlot(None, ""))
    assert store_images(world.gate, [generation]).keys() == {"store"}
    monkeypatch.setattr(world.workspace.blobs, "save_many", fail)
    with pytest.raises(UnavailableError) as caught:
        store_images(world.gate, [generation])
    assert caught.value.code == "blobs_unwritable"
