"""The fused score: weights of the right signs, and more evidence that never lowers it."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from shared.errors import InputError
from shared.matching.copy_detection.copy_evidence import CopyEvidence
from shared.matching.copy_detection.fusion import SIGNS, Fusion, load_fusion


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
