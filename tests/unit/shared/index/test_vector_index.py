"""What both engines share: ids of points, best views, order of vectors, and what is refused before it is stored."""

import uuid

import numpy as np
import pytest

from shared.errors import InputError, NotFoundError
from shared.index.vector_index import (
    IndexedItem,
    best_views,
    order_vectors,
    point_id,
    point_ids,
    verify_items,
    verify_k,
    verify_vectors,
)

ITEM = str(uuid.UUID(int=7))


def test_every_view_has_a_point_of_its_own() -> None:
    ids = point_ids([ITEM, str(uuid.UUID(int=8))], ["whole", "mirror", "centre"])
    assert len(set(ids)) == 6
    assert ids[0] == ITEM
    assert ids[1] == point_id(ITEM, "mirror") == str(uuid.UUID(ids[1]))


def test_an_item_counts_once_with_its_nearest_view() -> None:
    points = [("a", "mirror", 0.9), ("b", "whole", 0.8), ("a", "whole", 0.7), ("c", "whole", 0.6)]
    assert [(item.item_id, item.view) for item in best_views(points, 2)] == [("a", "mirror"), ("b", "whole")]
    assert len(best_views(points, 10)) == 3


def test_vectors_come_in_the_order_asked_for() -> None:
    assert order_vectors([], [], 4).shape == (0, 4)
    with pytest.raises(NotFoundError, match="lacks 1 of 2 items, first c"):
        order_vectors(["a", "c"], [("a", [1.0, 0.0])], 2)


@pytest.mark.parametrize(
    ("vectors", "code"),
    [
        (np.zeros((1, 2)), "index_vector_length"),
        (np.array([[np.nan, 1]]), "index_vector_length"),
        (np.array([[np.inf, 0]]), "index_vector_length"),
        (np.array([[0.6, 0.9]]), "index_vector_length"),
        (np.eye(2), "index_vector_shape"),
        (np.ones((1, 1)), "index_vector_shape"),
    ],
)
def test_vectors_that_an_engine_would_never_find_are_refused(vectors: np.ndarray, code: str) -> None:
    with pytest.raises(InputError) as caught:
        verify_vectors(vectors.astype(np.float32), 1, 2)
    assert caught.value.code == code


def test_items_need_a_uuid_and_a_view_that_the_index_has() -> None:
    verify_items([IndexedItem(ITEM, "00", ())], ["whole"])
    for item in (IndexedItem("item-1", "00", ()), IndexedItem(ITEM.upper().replace("0", "A"), "00", ())):
        with pytest.raises(InputError, match="UUID"):
            verify_items([item], ["whole"])
    with pytest.raises(InputError, match="one of the views whole, got 'mirror'"):
        verify_items([IndexedItem(ITEM, "00", (), "mirror")], ["whole"])


def test_no_neighbours_are_none_to_search_for() -> None:
    verify_k(1)
    with pytest.raises(InputError, match="at least 1"):
        verify_k(0)
