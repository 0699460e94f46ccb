"""A picture that is looked for: how it was understood, whether it can be compared, and which of the nearest are kept."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shared.canonical import sha256_hex
from shared.errors import InputError
from shared.vision.fingerprints import RECIPE, build_fingerprint
from shared.vision.image_limits import ImageLimits
from shared.vision.image_query import build_query, nearest_places
from tests.support.factories import encode, picture

LIMITS = ImageLimits(1_000_000, 1_000_000, 8)


def test_a_query_names_the_bytes_and_the_pixels() -> None:
    image = picture(1, 64)
    data = encode(image)
    answer = build_query(data, LIMITS).describe()
    fingerprint = build_fingerprint(image)
    assert (answer.sha256, answer.pixels_sha256) == (sha256_hex(data), fingerprint.pixels_sha256)
    assert (answer.width_px, answer.height_px, answer.recipe) == (64, 64, RECIPE)
    assert bytes.fromhex(answer.pdq) == fingerprint.hash.value


def test_the_same_pixels_in_another_file_are_the_same_picture() -> None:
    image = picture(2, 64)
    plain, webp = build_query(encode(image), LIMITS), build_query(encode(image, "WEBP", lossless=True), LIMITS)
    assert plain.sha256 != webp.sha256
    assert plain.fingerprint == webp.fingerprint


def test_a_flat_picture_cannot_be_compared() -> None:
    data = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(data, "PNG")
    comparison = build_query(data.getvalue(), LIMITS).describe_comparison(31)
    assert (comparison.defined, comparison.quality, comparison.max_distance) == (False, 0, 31)
    assert build_query(encode(picture(1, 64)), LIMITS).describe_comparison(31).defined


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(InputError):
        build_query(b"words", LIMITS)


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 50))
def test_the_nearest_are_kept_with_all_that_are_as_near(values: list[int], count: int) -> None:
    distances = np.array(values, dtype=np.uint16)
    limit = sorted(values)[count - 1] if count < len(values) else 256
    assert nearest_places(distances, count).tolist() == [place for place, value in enumerate(values) if value <= limit]
