"""The adaptive rule: it needs fifty neighbours that differ from the nearest."""

from shared.matching.rules.carlini_adaptive import RULE
from tests.unit.shared.matching.blocks import apply_rule, blobs, build_block, flat, noisy


def test_it_needs_fifty_neighbours() -> None:
    training = blobs(50, 1)
    assert apply_rule(RULE, build_block(noisy(training[:2]), training)).verdict(0) == "fired"
    few = apply_rule(RULE, build_block(noisy(training[:2]), training[:49]))
    assert few.verdict(1) == "undefined"
    assert few.rate is None


def test_copies_of_one_flat_original_are_no_neighbourhood() -> None:
    assert apply_rule(RULE, build_block(flat(1), flat(60))).verdict(0) == "undefined"
