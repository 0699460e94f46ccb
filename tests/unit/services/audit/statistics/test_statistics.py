"""The statistics of an audit against naive transcriptions of their definitions, and on data whose answer is known."""

import tracemalloc

import numpy as np
import pytest
from scipy.linalg import sqrtm

from services.audit.statistics.authenticity import authentic_share
from services.audit.statistics.counterfactual import CopyCounts, build_counterfactuals
from services.audit.statistics.data_copying import standardised_u, three_sample_test
from services.audit.statistics.frechet import frechet_distance, measure_quality
from services.audit.statistics.kinds import classify, outlier_quantiles
from services.audit.statistics.sweep import sweep
from shared.errors import InputError

RANDOM = np.random.default_rng(7)
TRAINING, HELD_OUT = RANDOM.normal(size=(60, 5)), RANDOM.normal(size=(50, 5))
FRESH = RANDOM.normal(size=(80, 5))
COPIES = TRAINING[RANDOM.integers(0, 60, 80)] + RANDOM.normal(scale=0.01, size=(80, 5))


def naive_authentic(training: np.ndarray, generations: np.ndarray) -> int:
    count = 0
    for generation in generations:
        distances = [np.linalg.norm(generation - one) for one in training]
        at = int(np.argmin(distances))
        own = min(np.linalg.norm(training[at] - one) for other, one in enumerate(training) if other != at)
        count += own < distances[at]
    return count


def naive_z(generated: np.ndarray, held_out: np.ndarray) -> float:
    u = sum((g > h) + 0.5 * (g == h) for g in generated for h in held_out)
    n, m = len(held_out), len(generated)
    return float((u - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12))


@pytest.mark.parametrize("generations", [FRESH, COPIES])
def test_authenticity_is_what_its_definition_says(generations: np.ndarray) -> None:
    assert authentic_share(TRAINING, generations).hits == naive_authentic(TRAINING, generations)


def test_copies_are_not_authentic_and_fresh_pictures_mostly_are() -> None:
    assert authentic_share(TRAINING, COPIES).value < 0.05
    assert authentic_share(TRAINING, FRESH).value > 0.4


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
    found = three_sample_test(TRAINING, HELD_OUT, COPIES)
    parts = [(w, z) for w, z, used in zip(found.weights, found.cells, found.counted, strict=True) if used and z is not None]
    assert found.statistic == pytest.approx(sum(w * z for w, z in parts) / sum(w for w, _ in parts))


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


def test_statistics_of_large_slices_take_no_matrix_of_all_pairs() -> None:
    training, few = RANDOM.normal(size=(6000, 2)), RANDOM.normal(size=(3000, 2))
    tracemalloc.start()
    outlier_quantiles(training)
    three_sample_test(training, few, few)
    assert tracemalloc.get_traced_memory()[1] < 60e6  # all pairs: 288 MB and 144 MB
    tracemalloc.stop()


def test_counterfactual_separates_what_training_did() -> None:
    models = [
        CopyCounts(frozenset({"a", "b"}), {"a": 50, "common": 3, "b": 10}, 100),
        CopyCounts(frozenset({"a", "common"}), {"a": 30, "common": 4}, 100),
        CopyCounts(frozenset({"b", "common"}), {"common": 3, "b": 10}, 100),
    ]
    found = {one.item: one for one in build_counterfactuals(models)}
    assert found["a"].effect == pytest.approx(0.4)
    assert (found["a"].models_with, found["a"].models_without) == (2, 1)
    assert found["common"].effect == pytest.approx(0.005)
    assert [one.item for one in build_counterfactuals(models)] == ["a", "b", "common"]


def test_an_item_that_every_model_saw_has_no_counterfactual() -> None:
    models = [CopyCounts(frozenset({"a"}), {"a": 1}, 10)] * 2
    assert build_counterfactuals(models) == []
    with pytest.raises(InputError):
        build_counterfactuals(models[:1])


def test_kinds_follow_their_order_and_carry_their_figures() -> None:
    assert classify(2, 1.0, 500.0, 0.99).kind == "duplicated"
    assert classify(1, 0.9, 500.0, 0.99).kind == "overfitting"
    assert classify(1, 0.2, None, 0.95).kind == "long-tailed"
    found = classify(1, 0.2, None, None)
    assert (found.kind, found.updates_per_image, found.outlier_quantile) == ("eidetic", None, None)
    assert outlier_quantiles(np.zeros((1, 3))) is None


def test_sweep_counts_strictly_above_and_distinct_items() -> None:
    levels = sweep(np.array([0.5, 0.8, 0.9]), np.array([1, 2, 2]), np.array([0.4, 0.5]), (0.45, 0.5, 0.95))
    assert [one.generations.hits for one in levels] == [3, 2, 0]
    assert [one.control.hits for one in levels] == [1, 0, 0]
    assert [one.distinct_items for one in levels] == [2, 1, 0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: authentic_share(TRAINING[:1], COPIES),
        lambda: three_sample_test(TRAINING, HELD_OUT[:0], COPIES),
        lambda: three_sample_test(TRAINING, HELD_OUT[:, :3], COPIES),
        lambda: frechet_distance(TRAINING[:1], COPIES),
        lambda: measure_quality(COPIES, HELD_OUT[:3]),
        lambda: sweep(np.empty(0), np.empty(0, dtype=np.int64), np.ones(3)),
        lambda: outlier_quantiles(np.empty((0, 3))),
    ],
)
def test_too_little_to_say_anything_is_refused(call: object) -> None:
    with pytest.raises(InputError):
        call()  # type: ignore[operator]
