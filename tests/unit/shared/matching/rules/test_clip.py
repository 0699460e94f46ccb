"""The cosine of CLIP embeddings: its threshold is the control's."""

from shared.matching.rules.clip import RULE
from tests.unit.shared.matching.blocks import apply_rule, blobs, build_block, noisy


def test_it_fires_on_copies_above_its_threshold() -> None:
    training = blobs(10, 1)
    result = apply_rule(RULE, build_block(noisy(training[:3]), training))
    assert result.rule.threshold == 0.3
    assert result.fired.all()
    assert result.scores.items.tolist() == [0, 1, 2]
