"""Rules: the direction in which they fire, and where their threshold comes from."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from shared.matching.calibration.null_distribution import NullDistribution
from shared.matching.panel.rule import Fires, Rule, RuleDefinition, smallest, undefined_for_all

CONTROL = NullDistribution((0.1, 0.2, 0.3))
DEFINITION = RuleDefinition("rule", "title", "source", 1, "above", lambda block: undefined_for_all(len(block.views), "none"))
FIRED: dict[Fires, list[bool]] = {
    "above": [False, False, True, False],
    "below": [True, False, False, False],
    "at_most": [True, True, False, False],
    "at_least": [False, True, True, False],
}


@pytest.mark.parametrize("fires", get_args(Fires))
def test_a_rule_fires_in_its_direction_and_never_where_it_is_undefined(fires: Fires) -> None:
    rule = Rule("rule", "title", "source", 0.5, fires, DEFINITION.score)
    assert rule.fired(np.array([0.4, 0.5, 0.6, np.nan])).tolist() == FIRED[fires]


def test_a_threshold_of_its_own_goes_before_the_control() -> None:
    assert DEFINITION.with_threshold(CONTROL, 0.001).threshold == 0.3
    assert replace(DEFINITION, threshold=0.15).with_threshold(CONTROL, 0.001).threshold == 0.15
    assert replace(DEFINITION, threshold=0.15).with_threshold(None, 0.001).threshold == 0.15
    with pytest.raises(ValueError, match="from a control"):
        DEFINITION.with_threshold(None, 0.001)


def test_a_rule_for_one_kind_of_embedder_applies_to_no_other() -> None:
    assert DEFINITION.applies_to("pixels:16")
    assert replace(DEFINITION, embedder_kind="sscd").applies_to("sscd:file")
    assert not replace(DEFINITION, embedder_kind="sscd").applies_to("pixels:16")


def test_of_equal_values_the_earlier_candidate_counts() -> None:
    scores = smallest(np.array([[2.0, 1.0, 1.0]]), np.array([[7, 8, 9]]))
    assert (scores.values.tolist(), scores.items.tolist()) == ([1.0], [8])
