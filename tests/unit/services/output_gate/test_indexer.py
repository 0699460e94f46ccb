"""The indexer: the log's entries taken in, gaps named and closed."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.output_gate.background_indexer import background_indexing
from services.output_gate.checks.service import check_generation
from services.output_gate.indexer import Indexer
from services.output_gate.operation.readiness import measure_readiness
from services.output_gate.results.recorded import read_result
from shared.errors import CorruptStateError, UnavailableError
from shared.index.vector_index import IndexedItem, VectorIndex
from shared.records.index_gaps import IndexGap, load_gaps, save_gaps
from shared.records.manifests import seal_manifest
from shared.vision.embedders.pixels import PixelEmbedder
from tests.support.factories import png, register
from tests.support.memory_gate import MemoryWorld


def test_the_index_follows_the_log_and_filled_again_it_is_the_same(world: MemoryWorld) -> None:
    index, indexer = world.gate.index, world.gate.indexer
    late = register(world.workspace, "late.png", png(40))
    assert indexer.measure().behind_entries > 0
    assert indexer.catch_up() == world.workspace.log.size
    assert index.count(world.manifest.id) == 6
    vectors = index.vectors([late.id]).copy()
    assert indexer.rebuild() == world.workspace.log.size
    assert (index.vectors([late.id]) == vectors).all()


def test_an_item_whose_bytes_are_gone_is_a_gap_until_they_are_back(world: MemoryWorld) -> None:
    item = world.items[3]
    path = world.workspace.blobs.path(item.blob_sha256)
    data = path.read_bytes()
    path.unlink()
    world.gate.indexer.rebuild()
    assert world.gate.indexer.measure().gaps == 1
    assert read_result(check_generation(world.gate, "model-a", png(1))).reason == "blob_not_found"
    path.write_bytes(data)
    assert world.gate.indexer.retry_gaps() == 1
    assert check_generation(world.gate, "model-a", png(1)).decision == "flag"


def test_a_thread_keeps_the_index_up(world: MemoryWorld) -> None:
    register(world.workspace, "late.png", png(40))
    with background_indexing(world.gate.indexer):
        for _ in range(200):
            if world.gate.indexer.measure().behind_entries == 0:
                break
    assert world.gate.indexer.failure is None


def second_indexer(world: MemoryWorld) -> Indexer:
    """The indexer of another process over the same database and the same index."""
    return Indexer(world.workspace, world.gate.index, PixelEmbedder(16))


@dataclass
class DyingIndex:
    """The index as a process sees it that is killed before it moves the cursor."""

    index: VectorIndex

    def __getattr__(self, name: str) -> Any:
        return getattr(self.index, name)

    def commit(self, _log_size: int) -> None:
        raise UnavailableError("killed")


def test_two_indexers_at_once_lose_no_manifest(world: MemoryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reads items' manifests, another is sealed and marked by the other, and the first writes what it read, and dies."""
    slow, quick = world.gate.indexer, second_indexer(world)
    slow.catch_up()
    late = [register(world.workspace, f"late-{seed}.png", png(seed)) for seed in range(40, 44)]
    world.workspace.log.integrate()
    has_read, may_write = threading.Event(), threading.Event()
    embed = slow._embed

    def embed_slowly(items: Sequence[IndexedItem]) -> NDArray[np.float32]:
        has_read.set()
        assert may_write.wait(20)
        return embed(items)

    def catch_up_and_die() -> None:
        with suppress(UnavailableError):
            slow.catch_up()

    monkeypatch.setattr(slow, "_embed", embed_slowly)
    monkeypatch.setattr(slow, "index", DyingIndex(slow.index))
    first = threading.Thread(target=catch_up_and_die)
    first.start()
    assert has_read.wait(20)
    with world.workspace.writing() as session:
        manifest_id = seal_manifest(session, "late", "train", [item.id for item in late]).id
    world.workspace.log.integrate()
    quick.catch_up(patience_seconds=0.2)
    may_write.set()
    first.join()
    quick.catch_up()
    assert world.gate.index.cursor == world.workspace.log.size
    assert world.gate.index.count(manifest_id) == len(late)


def test_an_indexer_waits_for_the_one_at_work_and_takes_over(world: MemoryWorld) -> None:
    register(world.workspace, "late.png", png(40))
    world.workspace.log.integrate()
    follower = second_indexer(world)
    behind = world.gate.index.cursor
    with world.gate.indexer._working_alone():
        assert follower.catch_up(patience_seconds=0.1) == behind
        assert (follower.retry_gaps(), follower.repair()) == (0, 0)
        with pytest.raises(UnavailableError) as caught:
            follower.rebuild()
        assert caught.value.code == "index_busy"
    assert follower.catch_up() == world.workspace.log.size


def test_a_manifest_that_the_index_holds_too_little_of_is_repaired(world: MemoryWorld) -> None:
    index, indexer = world.gate.index, world.gate.indexer
    indexer.catch_up()
    index.remove([world.items[0].id])
    index.set_manifests({world.items[1].id: []})
    assert index.count(world.manifest.id) == 4
    assert (indexer.repair(), indexer.repair()) == (1, 0)
    assert index.count(world.manifest.id) == 6
    assert index.missing([item.id for item in world.items]) == []


def test_what_cannot_be_repaired_is_a_gap_and_readiness_names_the_model(world: MemoryWorld) -> None:
    index, indexer, item = world.gate.index, world.gate.indexer, world.items[2]
    indexer.catch_up()
    indexer.short_manifests = (world.manifest.id,)
    [answer] = [one for one in measure_readiness(world.gate).dependencies if one.name == "index"]
    assert (answer.ready, answer.reason) == (False, "index_short")
    path = world.workspace.blobs.path(item.blob_sha256)
    data = path.read_bytes()
    path.unlink()
    index.remove([item.id])
    assert indexer.repair() == 1
    assert indexer.measure().gaps == 1
    assert read_result(check_generation(world.gate, "model-a", png(1))).reason == "blob_not_found"
    path.write_bytes(data)
    assert indexer.retry_gaps() == 1
    assert (indexer.repair(), indexer.measure().gaps) == (0, 0)
    assert not indexer.short_manifests


def test_gaps_are_of_one_instance_and_those_of_an_earlier_version_are_taken_over(world: MemoryWorld) -> None:
    indexer, item = second_indexer(world), world.items[2]
    with world.workspace.writing() as session:
        for name in (indexer.collection, f"{indexer.collection}/other"):
            gap = IndexGap(collection=name, item_id=item.id, blob_sha256=item.blob_sha256, code="blob_not_found")
            save_gaps(session, [gap])
    register(world.workspace, "late.png", png(40))
    indexer.catch_up()
    assert indexer.measure().gaps == 1
    assert indexer.retry_gaps() == 1
    with world.workspace.reading() as session:
        assert [gap.item_id for gap in load_gaps(session, f"{indexer.collection}/other")] == [item.id]
        assert load_gaps(session, indexer.collection) == []
    indexer.rebuild()
    with world.workspace.reading() as session:
        assert load_gaps(session, f"{indexer.collection}/other") == []


def test_an_index_that_is_ahead_of_the_log_is_another_logs(world: MemoryWorld) -> None:
    world.gate.index.commit(world.workspace.log.size + 1)
    with pytest.raises(CorruptStateError, match="sleeve gate index rebuild") as caught:
        world.gate.indexer.catch_up()
    assert caught.value.code == "index_ahead"
    assert world.gate.indexer.rebuild() == world.workspace.log.size
