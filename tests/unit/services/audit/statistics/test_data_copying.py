"""The three-sample test: its definition, copies far below zero, and false alarms as rare as its scale says."""

import numpy as np
import pytest

from services.audit.statistics.data_copying import is_underfitted, standardised_u, three_sample_test
from shared.errors import InputError
from tests.unit.services.audit.statistics.samples import COPIES, FRESH, HELD_OUT, TRAINING

RANDOM = np.random.default_rng(5)


def naive_z(generated: np.ndarray, held_out: np.ndarray) -> float:
    u = sum((g > h) + 0.5 * (g == h) for g in generated for h in held_out)
    n, m = len(held_out), len(generated)
    return float((u - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12))


def test_standardised_u_is_what_its_definition_says_with_ties() -> None:
    generated, held_out = RANDOM.integers(0, 9, 31).astype(float), RANDOM.integers(0, 9, 17).astype(float)
    assert standardised_u(generated, held_out) == pytest.approx(naive_z(generated, held_out), abs=1e-12)


def test_copying_is_far_below_zero_and_fresh_pictures_near_it() -> None:
    copying, fresh = three_sample_test(TRAINING, HELD_OUT, COPIES), three_sample_test(TRAINING, HELD_OUT, FRESH)
    assert copying.statistic is not None
    assert fresh.statistic is not None
    assert copying.statistic < -4
    assert abs(fresh.statistic) < 3
    assert sum(copying.weights) == pytest.approx(1)


def test_statistic_is_the_weighted_mean_of_the_cells_that_count() -> None:
    test = three_sample_test(TRAINING, HELD_OUT, COPIES)
    parts = [(w, z) for w, z, used in zip(test.weights, test.cells, test.counted, strict=True) if used and z is not None]
    assert test.statistic == pytest.approx(sum(w * z for w, z in parts) / sum(w for w, _ in parts))


def test_wide_features_are_projected_and_few_generations_give_no_statistic() -> None:
    wide = [RANDOM.normal(size=(40, 100)) for _ in range(3)]
    assert len(three_sample_test(*wide).cells) <= 3
    assert three_sample_test(TRAINING, HELD_OUT, COPIES[:5]).statistic is None


def test_false_alarms_of_the_three_sample_test_are_as_rare_as_its_scale_says() -> None:
    """With everything drawn alike, one cell's z is standard normal: |z| > 3 in about 1 of 400 draws."""
    random = np.random.default_rng(3)
    drawn = [standardised_u(random.normal(size=40), random.normal(size=40)) for _ in range(400)]
    assert np.std(drawn) == pytest.approx(1, abs=0.12)
    assert sum(abs(z) > 3 for z in drawn) <= 5


def test_an_empty_sample_and_other_widths_are_refused() -> None:
    with pytest.raises(InputError):
        three_sample_test(TRAINING, HELD_OUT[:0], COPIES)
    with pytest.raises(InputError):
        three_sample_test(TRAINING, HELD_OUT[:, :3], COPIES)


def test_generations_far_from_the_training_pictures_are_underfitted() -> None:
    far = three_sample_test(TRAINING, HELD_OUT, FRESH + 20).statistic
    assert far is not None
    assert is_underfitted(far)
