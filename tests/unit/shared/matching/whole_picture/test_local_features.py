"""Local features: found again in a mirrored picture without a second extraction, the same in every run, none of a flat one."""

import numpy as np
import pytest
from PIL import Image

from shared.matching.whole_picture.local_features import MAX_FEATURES, ComparisonSize, extract_features
from tests.unit.shared.matching.whole_picture.pictures import load_photograph


def test_features_of_a_mirrored_picture_are_those_of_the_picture_mirrored() -> None:
    picture = load_photograph("chelsea")
    computed = extract_features(picture).mirror()
    extracted = extract_features(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    products = computed.rows @ extracted.rows.T
    cosines = products * computed.inverse_lengths[:, None] * extracted.inverse_lengths
    partner = cosines.argmax(axis=1)
    is_same_place = np.abs(computed.points - extracted.points[partner]).max(axis=1) < 1.5
    assert is_same_place.mean() > 0.85
    assert np.median(cosines.max(axis=1)[is_same_place]) > 0.99
    turns = computed.places[is_same_place, 3] - extracted.places[partner[is_same_place], 3]
    assert np.median(np.abs((turns + 180) % 360 - 180)) < 1


def test_mirroring_twice_gives_the_features_back() -> None:
    features = extract_features(load_photograph("coffee"))
    back = features.mirror().mirror()
    np.testing.assert_array_equal(back.descriptors, features.descriptors)
    np.testing.assert_allclose(back.places, features.places, atol=1e-3)


def test_the_same_picture_has_the_same_features_within_their_bounds() -> None:
    picture = load_photograph("astronaut")
    first, second = extract_features(picture), extract_features(picture.copy())
    np.testing.assert_array_equal(first.places, second.places)
    np.testing.assert_array_equal(first.descriptors, second.descriptors)
    assert 100 < len(first) <= MAX_FEATURES
    assert (first.points >= 0).all()
    assert (first.points < (first.width, first.height)).all()
    np.testing.assert_allclose(1 / first.inverse_lengths, 512, rtol=0.01)


def test_a_picture_without_detail_has_no_features() -> None:
    features = extract_features(Image.new("RGB", (300, 200), "white"))
    assert len(features) == len(features.mirror()) == 0
    assert features.rows.shape == (0, 128)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((2048, 1024), (512, 256)), ((300, 400), (300, 400)), ((64, 32), (256, 128)), ((1, 5000), (1, 512))],
)
def test_pictures_keep_their_aspect_ratio_at_the_comparison_size(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert ComparisonSize().resize(Image.new("RGB", size)).size == expected
