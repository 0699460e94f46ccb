"""The indexer: the log's entries taken in, gaps named and closed."""

from services.output_gate.background_indexer import background_indexing
from services.output_gate.checks.service import check_generation
from services.output_gate.results.recorded import read_result
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
