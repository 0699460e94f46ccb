"""The comparison: known copies are found, each with its item, and held-out pictures fire no more often than is stated."""

import pytest

from services.audit.comparison.compare import compare
from shared.errors import InputError
from shared.workspace import Workspace
from tests.unit.services.audit.tiny_slices import CONTROL, SLICE, build_slice


def test_noisy_copies_are_copies_and_strangers_are_not(workspace: Workspace) -> None:
    tiny = build_slice(workspace)
    generations = tiny.context.match(tiny.calibration.corpus, tiny.noisy_copies())
    comparison = compare(tiny.calibration, generations, 0.05)
    assert (comparison.copies.hits, comparison.copies.trials) == (SLICE, SLICE)
    assert comparison.copied_items == tuple(sorted(tiny.calibration.corpus.item_ids))
    assert comparison.matches.index.tolist() == list(range(SLICE))
    assert comparison.p_values == pytest.approx(1 / (CONTROL + 1))
    assert comparison.threshold == max(comparison.null.scores)
    strangers = compare(tiny.calibration, tiny.calibration.matched_control, 0.05)
    assert (strangers.copies.hits, strangers.copied_items) == (0, ())
    assert [result.rule.name for result in comparison.panel] == [result.rule.name for result in comparison.control_panel]


@pytest.mark.parametrize("rate", [0.0, 0.6])
def test_a_rate_out_of_range_is_refused(workspace: Workspace, rate: float) -> None:
    tiny = build_slice(workspace)
    with pytest.raises(InputError, match="rate"):
        compare(tiny.calibration, tiny.calibration.matched_control, rate)
