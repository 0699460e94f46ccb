"""Counterfactual copying: what training on an item did to how often it is copied."""

import pytest

from services.audit.statistics.counterfactual import CopyCounts, build_counterfactuals
from shared.errors import InputError


def test_counterfactual_separates_what_training_did() -> None:
    models = [
        CopyCounts(frozenset({"a", "b"}), {"a": 50, "common": 3, "b": 10}, 100),
        CopyCounts(frozenset({"a", "common"}), {"a": 30, "common": 4}, 100),
        CopyCounts(frozenset({"b", "common"}), {"common": 3, "b": 10}, 100),
    ]
    effects = {item.item: item for item in build_counterfactuals(models)}
    assert effects["a"].effect == pytest.approx(0.4)
    assert (effects["a"].models_with, effects["a"].models_without) == (2, 1)
    assert effects["common"].effect == pytest.approx(0.005)
    assert [item.item for item in build_counterfactuals(models)] == ["a", "b", "common"]


def test_an_item_that_every_model_saw_has_no_counterfactual() -> None:
    models = [CopyCounts(frozenset({"a"}), {"a": 1}, 10)] * 2
    assert build_counterfactuals(models) == []
    with pytest.raises(InputError):
        build_counterfactuals(models[:1])
