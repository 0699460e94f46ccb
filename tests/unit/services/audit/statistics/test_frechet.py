"""The Fréchet distance against the matrix root, and the floor beside it."""

import tracemalloc

import numpy as np
import pytest
from scipy.linalg import sqrtm

from services.audit.statistics.frechet import frechet_distance, measure_quality
from shared.errors import InputError
from tests.unit.services.audit.statistics.samples import COPIES, HELD_OUT, TRAINING

RANDOM = np.random.default_rng(5)


def test_frechet_distance_against_the_matrix_root() -> None:
    first, second = RANDOM.normal(size=(30, 4)), RANDOM.normal(1, 2, size=(40, 4))
    c1, c2 = np.cov(first.T), np.cov(second.T)
    gap = first.mean(0) - second.mean(0)
    expected = gap @ gap + np.trace(c1 + c2 - 2 * np.real(sqrtm(c1 @ c2)))
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_with_fewer_pictures_than_dimensions() -> None:
    few = RANDOM.normal(size=(5, 64))
    assert frechet_distance(few, few + 1) == pytest.approx(64, rel=1e-9)


def test_noise_is_of_worse_quality_than_held_out_pictures_are_among_themselves() -> None:
    quality = measure_quality(RANDOM.normal(0, 3, size=(50, 5)), HELD_OUT)
    assert quality.distance > 3 * quality.floor


def test_a_perfect_model_is_as_far_as_the_floor_however_few_its_generations() -> None:
    """Forty dimensions, where the distance of small samples is mostly bias: a floor of more pictures would call it poor."""
    random = np.random.default_rng(11)
    ratios = []
    for _ in range(20):
        quality = measure_quality(random.normal(size=(50, 40)), random.normal(size=(400, 40)))
        assert (quality.pictures, quality.reference) == (50, 200)
        ratios.append(quality.distance / quality.floor)
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)


def test_frechet_distance_of_many_pictures_takes_no_matrix_of_all_pairs() -> None:
    many = RANDOM.normal(size=(6000, 3))
    tracemalloc.start()
    assert frechet_distance(many, many) == pytest.approx(0, abs=1e-9)
    assert tracemalloc.get_traced_memory()[1] < 10e6  # all pairs: 288 MB
    tracemalloc.stop()


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(InputError):
        frechet_distance(TRAINING[:1], COPIES)
    with pytest.raises(InputError):
        measure_quality(COPIES, HELD_OUT[:3])
