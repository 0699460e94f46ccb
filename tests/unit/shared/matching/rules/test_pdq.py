"""The PDQ rule: undefined where a hash says nothing."""

from shared.matching.rules.pdq import RULE
from tests.unit.shared.matching.blocks import apply_rule, blobs, build_block, flat


def test_it_is_undefined_on_flat_pictures() -> None:
    training = blobs(5, 1)
    of_flat = apply_rule(RULE, build_block(flat(1), training))
    assert of_flat.row(0)["verdict"] == "undefined"
    assert "the generation has too little structure" in of_flat.row(0)["reason"]
    among_flat = apply_rule(RULE, build_block(training[:1], flat(5)))
    assert "every training image near it" in among_flat.row(0)["reason"]


def test_it_is_undefined_on_small_views() -> None:
    small = blobs(5, 1)[:, :, ::2, ::2]
    assert "less than 64 px" in apply_rule(RULE, build_block(small, small)).row(0)["reason"]
