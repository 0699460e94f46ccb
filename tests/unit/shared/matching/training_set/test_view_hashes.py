"""Hashes of views: those of the pictures, flat ones undefined, and any rows of them."""

import numpy as np

from shared.matching.training_set.view_hashes import hash_views
from shared.vision.perceptual_hash import hash_image, pack_hashes
from shared.vision.views import view_to_image
from tests.unit.shared.matching.blocks import blobs, flat

VIEWS = np.concatenate([blobs(3, 1), flat(1)])


def test_a_view_has_the_hash_of_its_picture() -> None:
    hashes = hash_views(VIEWS)
    expected = [hash_image(view_to_image(view)) for view in VIEWS]
    np.testing.assert_array_equal(hashes.packed, pack_hashes([picture.value for picture in expected]))
    assert hashes.quality.tolist() == [picture.quality for picture in expected]
    assert hashes.defined.tolist() == [True, True, True, False]


def test_rows_can_be_taken_by_slice_and_by_number() -> None:
    hashes = hash_views(VIEWS)
    assert len(hashes[1:3]) == 2
    np.testing.assert_array_equal(hashes[np.array([3, 0])].quality, hashes.quality[[3, 0]])


def test_grey_views_are_hashed_as_their_luma() -> None:
    grey = VIEWS[:1, :1]
    np.testing.assert_array_equal(hash_views(grey).packed, hash_views(np.repeat(grey, 3, axis=1)).packed)
