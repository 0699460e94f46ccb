"""Nearest training pictures against every distance, in bounded memory."""

import tracemalloc

import numpy as np
import pytest

from services.audit.statistics.data_copying import three_sample_test
from services.audit.statistics.kinds import outlier_quantiles
from services.audit.statistics.nearest import find_nearest, find_nearest_other
from tests.unit.services.audit.statistics.samples import FRESH, TRAINING

RANDOM = np.random.default_rng(5)


def test_nearest_pictures_are_those_of_the_full_matrix() -> None:
    distances = np.linalg.norm(FRESH[:, None] - TRAINING[None], axis=2)
    rows, nearest = find_nearest(FRESH, TRAINING)
    assert rows.tolist() == distances.argmin(axis=1).tolist()
    assert nearest == pytest.approx(distances.min(axis=1))


def test_a_duplicate_is_the_nearest_other_picture() -> None:
    doubled = np.concatenate([TRAINING, TRAINING[:1]])
    nearest = find_nearest_other(doubled)
    assert nearest[[0, -1]].tolist() == [0, 0]
    assert (nearest[1:-1] > 0).all()


def test_large_slices_take_no_matrix_of_all_pairs() -> None:
    training, few = RANDOM.normal(size=(6000, 2)), RANDOM.normal(size=(3000, 2))
    tracemalloc.start()
    outlier_quantiles(training)
    three_sample_test(training, few, few)
    assert tracemalloc.get_traced_memory()[1] < 60e6  # all pairs: 288 MB and 144 MB
    tracemalloc.stop()
