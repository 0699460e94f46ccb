"""The fused score: weights of the right signs, and more evidence that never lowers it."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.matching.copy_detection.copy_evidence import CopyEvidence, weigh
from shared.matching.copy_detection.fusion import RANGES, SIGNS, Fusion, load_fusion
from shared.matching.copy_detection.indexed_views import STARTS


def test_weights_of_the_wrong_sign_or_evidence_are_refused() -> None:
    with pytest.raises(InputError, match="others for \\['tone'\\]"):
        Fusion(0.0, dict.fromkeys(SIGNS, 0.0) | {"tone": 1.0}, {})
    with pytest.raises(InputError, match="expected weights of"):
        Fusion(0.0, {"tone": -1.0}, {})


def test_more_evidence_for_a_copy_never_lowers_the_score() -> None:
    values: dict[str, Any] = {field.name: np.ones((1, 1), np.float32) for field in fields(CopyEvidence)}
    plain = CopyEvidence(**values | {"map": np.zeros((1, 1, 15, 15), np.float32)})
    fusion = load_fusion()
    for name, sign in SIGNS.items():
        more = replace(plain, **{name: np.full((1, 1), 1.0 + sign)})
        assert fusion.score(more) >= fusion.score(plain)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["same", "negative", "stranger", "flat", "checks"]),
    st.floats(-1, 1),
    st.floats(0.4, 2.2),
    st.floats(-70, 70),
)
def test_no_score_leaves_its_range(seed: int, kind: str, cosine: float, gain: float, offset: float) -> None:
    rng = np.random.default_rng(seed)
    item = rng.integers(0, 256, (64, 64)).astype(np.float64)
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255.0
    others = {"same": item, "negative": 255 - item, "stranger": rng.integers(0, 256, (64, 64)).astype(np.float64)}
    other = others.get(kind, np.full((64, 64), 255.0) if kind == "flat" else checks)
    planes = np.ones((64, 64)), other, item, other**2, item**2, other * item
    blocks = np.stack([plane.reshape(16, 4, 16, 4).sum(axis=(1, 3)) for plane in planes]).astype(np.float32)
    placement = STARTS[0].copy()
    placement[4:] = gain, offset
    evidence = weigh(np.array([[cosine]]), placement[None, None], blocks[None, None])
    for name, (low, high) in RANGES.items():
        if name != "turned":
            assert low - 1e-6 <= getattr(evidence, name)[0, 0] <= high + 1e-6, name
    lowest, highest = load_fusion().score_range
    assert lowest <= load_fusion().score(evidence)[0, 0] <= highest
