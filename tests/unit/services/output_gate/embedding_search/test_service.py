"""Search by embedding: the registered items nearest to a picture, withdrawn and damaged ones included."""

from services.output_gate.embedding_search.service import find_nearest
from tests.support.factories import png, register
from tests.support.memory_gate import MemoryWorld


def test_all_items_are_searched_whatever_their_manifest(world: MemoryWorld) -> None:
    late = register(world.workspace, "late.png", png(40))
    world.gate.indexer.catch_up()
    world.workspace.blobs.path(world.items[0].blob_sha256).unlink()
    answer = find_nearest(world.gate, png(40), 7)
    assert (answer.items[0].item.id, answer.searched.registered, answer.searched.complete) == (late.id, 7, True)
    assert answer.items[0].metrics is not None
    assert answer.items[0].metrics.identical
    [damaged] = [near for near in answer.items if near.item.id == world.items[0].id]
    assert (damaged.metrics, damaged.problem) == (None, "blob_not_found")


def test_an_index_that_lost_items_is_not_called_complete(world: MemoryWorld) -> None:
    world.gate.indexer.catch_up()
    world.gate.index.remove([world.items[1].id])
    answer = find_nearest(world.gate, png(40), 50)
    assert (len(answer.items), answer.searched.registered, answer.searched.complete) == (5, 6, False)
