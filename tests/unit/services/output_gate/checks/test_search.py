"""The search: the corpus's own vectors and the index find the same items; what is short or foreign is refused."""

import numpy as np
import pytest

from services.output_gate.checks.search import search
from services.output_gate.gate import view_recipe
from shared.errors import CorruptStateError
from shared.index.vector_index import Neighbour
from tests.support.factories import picture
from tests.support.memory_gate import NEIGHBOURS, MemoryCorpora, MemoryWorld


def test_both_ways_find_the_same_items(world: MemoryWorld) -> None:
    vectors = world.gate.embedder.embed([picture(3), picture(77)])
    corpora = world.gate.corpora
    assert isinstance(corpora, MemoryCorpora)
    corpus = corpora.load(world.manifest.id, view_recipe(world.model))
    held = search(world.gate, corpus, vectors)
    corpora.holds_vectors = False
    searched = search(world.gate, corpora.load(world.manifest.id, view_recipe(world.model)), vectors)
    assert held.rows.shape == (2, NEIGHBOURS)
    assert corpus.item_ids[held.rows[0, 0]] == world.items[3].id
    np.testing.assert_array_equal(held.rows, searched.rows)
    np.testing.assert_allclose(held.cosines, searched.cosines, atol=1e-5)


@pytest.mark.parametrize(
    ("nearest", "code"), [([], "search_short"), ([Neighbour("foreign", 0.5)] * NEIGHBOURS, "search_foreign_item")]
)
def test_what_the_index_must_not_answer(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch, nearest: list[Neighbour], code: str
) -> None:
    corpora = world.gate.corpora
    assert isinstance(corpora, MemoryCorpora)
    corpora.holds_vectors = False
    corpus = corpora.load(world.manifest.id, view_recipe(world.model))
    monkeypatch.setattr(world.gate.index, "neighbours_many", lambda *_, **__: [nearest])
    with pytest.raises(CorruptStateError) as caught:
        search(world.gate, corpus, world.gate.embedder.embed([picture(3)]))
    assert caught.value.code == code
