"""The corpora of a gate on files: built once, loaded again where a file was touched, and named where they cannot be built."""

import os
from collections.abc import Iterator

import pytest

from services.output_gate.corpora import Corpora, NotReadyError
from services.output_gate.gate import view_recipe
from tests.support.memory_gate import MemoryWorld


@pytest.fixture
def corpora(world: MemoryWorld) -> Iterator[Corpora]:
    gate = world.gate
    opened = Corpora(world.workspace, gate.index, gate.indexer, gate.indexer.collection, patience_seconds=None)
    yield opened
    opened.close()


def test_a_corpus_is_built_once_and_is_what_the_one_in_memory_is(world: MemoryWorld, corpora: Corpora) -> None:
    recipe = view_recipe(world.model)
    corpus = corpora.load(world.manifest.id, recipe)
    assert corpora.load(world.manifest.id, recipe) is corpus
    in_memory = world.gate.corpora.load(world.manifest.id, recipe)
    assert corpus.item_ids == in_memory.item_ids
    assert (corpus.side.views == in_memory.side.views).all()
    assert corpus.detector.digests == in_memory.detector.digests


def test_a_file_that_was_touched_makes_it_be_loaded_anew(world: MemoryWorld, corpora: Corpora) -> None:
    recipe = view_recipe(world.model)
    corpus = corpora.load(world.manifest.id, recipe)
    os.utime(corpus.files[0].path, (1, 1))
    assert not corpus.is_untouched
    assert corpora.load(world.manifest.id, recipe).is_untouched


def test_an_item_that_the_index_lost_is_embedded_again(world: MemoryWorld, corpora: Corpora) -> None:
    world.gate.index.remove([world.items[0].id])
    corpora.load(world.manifest.id, view_recipe(world.model))
    assert world.gate.index.count(world.manifest.id) == len(world.items)


def test_an_index_that_lacks_an_item_is_named(world: MemoryWorld, corpora: Corpora) -> None:
    world.gate.index.remove([world.items[0].id])
    with world.gate.indexer._working_alone(), pytest.raises(NotReadyError) as caught:  # another process is to repair it
        corpora.load(world.manifest.id, view_recipe(world.model))
    assert caught.value.code == "index_behind"
    world.workspace.blobs.path(world.items[0].blob_sha256).unlink()
    with pytest.raises(NotReadyError) as caught:
        corpora.load(world.manifest.id, view_recipe(world.model))
    assert caught.value.code == "blob_not_found"
