"""Kinds of memorisation follow their order and carry their figures."""

import numpy as np
import pytest

from services.audit.statistics.kinds import classify, outlier_quantiles
from shared.errors import InputError


def test_kinds_follow_their_order_and_carry_their_figures() -> None:
    assert classify(2, 1.0, 500.0, 0.99).kind == "duplicated"
    assert classify(1, 0.9, 500.0, 0.99).kind == "overfitting"
    assert classify(1, 0.2, None, 0.95).kind == "long-tailed"
    item = classify(1, 0.2, None, None)
    assert (item.kind, item.updates_per_image, item.outlier_quantile) == ("eidetic", None, None)
    assert outlier_quantiles(np.zeros((1, 3))) is None


def test_no_item_is_refused() -> None:
    with pytest.raises(InputError):
        outlier_quantiles(np.empty((0, 3)))
