"""The threshold sweep counts what is above each level."""

import numpy as np
import pytest

from services.audit.statistics.sweep import sweep
from shared.errors import InputError


def test_sweep_counts_strictly_above_and_distinct_items() -> None:
    levels = sweep(np.array([0.5, 0.8, 0.9]), np.array([1, 2, 2]), np.array([0.4, 0.5]), (0.45, 0.5, 0.95))
    assert [level.generations.hits for level in levels] == [3, 2, 0]
    assert [level.control.hits for level in levels] == [1, 0, 0]
    assert [level.distinct_items for level in levels] == [2, 1, 0]


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(InputError):
        sweep(np.empty(0), np.empty(0, dtype=np.int64), np.ones(3))
