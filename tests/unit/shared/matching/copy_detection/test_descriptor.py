"""The descriptor: shape, length, what it is blind to, and the shipped map."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from shared.errors import InputError
from shared.matching.copy_detection.descriptor import MEASUREMENTS, Descriptor, load_descriptor, measure_views
from tests.unit.shared.matching.copy_detection.drawings import draw


def test_descriptors_have_length_one_also_of_pictures_without_content() -> None:
    flat = np.zeros((2, 3, 64, 64), np.uint8)
    flat[1] = 255
    rows = load_descriptor().describe(np.concatenate([flat, draw(6)]))
    assert rows.shape == (8, load_descriptor().dimensions)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_batches_do_not_change_a_descriptor() -> None:
    views = draw(300)
    assert np.array_equal(measure_views(views)[290:], measure_views(views[290:]))
    described = load_descriptor().describe(views)
    for size in (1, 2, 3, 7, 64):
        parts = [load_descriptor().describe(views[start : start + size]) for start in range(0, 128, size)]
        assert np.array_equal(np.concatenate(parts)[:128], described[:128]), size


def test_the_map_is_what_a_matrix_product_says() -> None:
    views, descriptor = draw(20), load_descriptor()
    rows = (measure_views(views) - descriptor.mean.astype(np.float64)) @ descriptor.projection.astype(np.float64)
    expected = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(descriptor.describe(views), expected, atol=1e-7)


def test_luma_is_measured_free_of_brightness_and_contrast() -> None:
    views = draw(4).astype(np.float64)
    darker = np.rint(views * 0.5 + 60).astype(np.uint8)
    before, after = (measure_views(rows)[:, :256] for rows in (views.astype(np.uint8), darker))
    assert np.abs(before - after).max() < 0.1


def test_a_copy_is_nearer_than_any_other_picture() -> None:
    views = draw(40)
    noisy = np.clip(views + np.random.default_rng(1).normal(0, 15, views.shape), 0, 255).astype(np.uint8)
    cosines = load_descriptor().describe(noisy) @ load_descriptor().describe(views).T
    assert (cosines.argmax(axis=1) == np.arange(40)).all()


@pytest.mark.parametrize(
    "views", [np.zeros((1, 3, 32, 32), np.uint8), np.zeros((1, 3, 64, 64)), np.zeros((3, 64, 64), np.uint8)]
)
def test_other_views_are_refused(views: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected views uint8"):
        measure_views(views)


def test_a_saved_map_is_the_same_map(tmp_path: Path) -> None:
    columns = np.arange(MEASUREMENTS * 5, dtype=np.float16).reshape(5, MEASUREMENTS).T
    descriptor = Descriptor(np.ones(MEASUREMENTS, np.float16), columns)
    descriptor.save(tmp_path / "map.safetensors")
    assert load_descriptor(tmp_path / "map.safetensors").sha256 == descriptor.sha256 != load_descriptor().sha256


def test_a_map_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a map of 576"):
        Descriptor(np.ones(7, np.float16), np.ones((7, 5), np.float16))
    save_file({"other": np.ones(1, np.float16)}, tmp_path / "map.safetensors")
    with pytest.raises(InputError, match="expected mean and projection"):
        load_descriptor(tmp_path / "map.safetensors")
