"""Geometry of a match: cropped, turned, mirrored and inset copies lie where they were put; strangers hardly agree."""

import numpy as np
import pytest
from PIL import Image

from shared.matching.whole_picture.feature_matching import GeometricMatch, ReadGeneration, match_geometry
from shared.matching.whole_picture.local_features import extract_features
from tests.unit.shared.matching.whole_picture.pictures import SIZE, load_photograph


def match(generation: Image.Image, item: Image.Image) -> GeometricMatch | None:
    return match_geometry(ReadGeneration.of(extract_features(SIZE.resize(generation))), extract_features(item))


def corners(item: Image.Image, found: GeometricMatch) -> np.ndarray:
    right, bottom = item.width - 1, item.height - 1
    return np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]]) @ found.affine[:, :2].T + found.affine[:, 2]


def test_an_inset_lies_where_it_was_put() -> None:
    item, page = load_photograph("chelsea"), load_photograph("astronaut").copy()
    page.paste(item.resize((180, 120), Image.Resampling.BICUBIC), (300, 40))
    found = match(page, item)
    assert found is not None
    assert found.inliers > 20
    assert not found.is_mirrored
    np.testing.assert_allclose(corners(item, found), [[300, 40], [480, 40], [480, 160], [300, 160]], atol=4)


def test_a_mirrored_copy_is_laid_over_mirrored() -> None:
    item = load_photograph("coffee")
    found = match(item.transpose(Image.Transpose.FLIP_LEFT_RIGHT), item)
    assert found is not None
    assert found.is_mirrored
    right, bottom = item.width - 1, item.height - 1
    np.testing.assert_allclose(corners(item, found), [[right, 0], [0, 0], [0, bottom], [right, bottom]], atol=3)
    mapped = found.item_points @ found.affine[:, :2].T + found.affine[:, 2]
    assert np.abs(mapped - found.generation_points).max() < 4


def test_a_quarter_turn_and_a_crop_are_found() -> None:
    item = load_photograph("astronaut")
    found = match(item.crop((100, 60, 356, 316)).rotate(90, expand=True), item)
    assert found is not None
    assert found.inliers > 40
    turned = np.degrees(np.arctan2(found.affine[1, 0], found.affine[0, 0]))
    assert turned == pytest.approx(-90, abs=1)


def test_strangers_agree_in_nearly_nothing() -> None:
    names = ("astronaut", "chelsea", "coffee", "rocket")
    pictures = [load_photograph(name) for name in names]
    agreeing = [match(one, other) for one in pictures for other in pictures if one is not other]
    assert max(found.inliers if found else 0 for found in agreeing) < 8


def test_a_flat_picture_matches_nothing() -> None:
    flat = Image.new("RGB", (256, 256), "white")
    assert match(flat, load_photograph("chelsea")) is None
    assert match(load_photograph("chelsea"), flat) is None


def test_the_same_pair_has_the_same_map() -> None:
    item = load_photograph("chelsea")
    first, second = (match(item.rotate(7), item) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.affine, second.affine)
