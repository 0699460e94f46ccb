"""One score from all evidence: a weighted sum, each weight with the sign that its evidence must have.

Rules, in order:

1. score = bias + Σ weight · evidence: the log-odds of a copy, on the pictures that the weights were fitted on. Only the order
   of scores counts: a threshold or p-value comes from a deployment's own control.
2. Evidence for a copy has a weight of at least 0, evidence against it of at most 0. So more agreement never lowers a score.
3. The weights ship in `weights/fusion-1.json`, with what they were fitted on.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.canonical import canonical_json, sha256_hex
from shared.errors import InputError
from shared.matching.copy_detection.copy_evidence import CopyEvidence

SHIPPED = Path(__file__).parent / "weights" / "fusion-1.json"
# Rule 2, in the order in which evidence is stacked.
SIGNS = {
    "descriptor": 1,
    "item_agreement": 1,
    "informed_agreement": 1,
    "uncovered_agreement": 1,
    "tone": -1,
    "unmoved": 1,
    "turned": -1,
    "outside": -1,
}

# The range of each piece of evidence (`copy_evidence`). Agreements lie in -1..1, so their logs in -log(2.05)..-log(0.05).
# Informed agreement is at most that of full agreement times the log of 225 windows, whose variance is at most 127.5² against
# a grain of 30. Tone is at most log(1 + 60 levels). What is turned has no bound but weighs nothing.
_AGREEMENT = (-math.log(2.05), -math.log(0.05))
_INFORMATION = math.log1p(225 * 0.5 * math.log((127.5**2 + 30) / 30))
RANGES = {
    "descriptor": (-math.log(2.02), -math.log(0.02)),
    "item_agreement": _AGREEMENT,
    "informed_agreement": (0.0, _AGREEMENT[1] * _INFORMATION),
    "uncovered_agreement": _AGREEMENT,
    "tone": (0.0, math.log(61)),
    "unmoved": (0.0, 1.0),
    "turned": (0.0, 0.0),
    "outside": (0.0, 1.0),
}

Floats = NDArray[np.float64]


def stack_evidence(evidence: CopyEvidence) -> Floats:
    """Stack the scored evidence along a last axis, in the order of `SIGNS`."""
    return np.stack([getattr(evidence, name) for name in SIGNS], axis=-1)


@dataclass(frozen=True)
class Fusion:
    """The weights of rule 1; `provenance` says what they were fitted on."""

    bias: float
    weights: dict[str, float]
    provenance: dict[str, Any]

    def __post_init__(self) -> None:
        """Refuse other evidence, or a weight of the wrong sign."""
        if set(self.weights) != set(SIGNS):
            raise InputError(f"expected weights of {sorted(SIGNS)}, got {sorted(self.weights)}", code="fusion_bad")
        wrong = [name for name, weight in self.weights.items() if weight * SIGNS[name] < 0]
        if wrong:
            raise InputError(f"expected weights of the signs {SIGNS}, got others for {wrong}", code="fusion_bad")

    @property
    def sha256(self) -> str:
        """Digest of bias and weights."""
        return sha256_hex(canonical_json({"bias": self.bias, "weights": self.weights}))

    @property
    def score_range(self) -> tuple[float, float]:
        """The lowest and the highest score that evidence can add up to.

        >>> [round(bound, 1) for bound in load_fusion().score_range]
        [-21.1, 12.5]
        """
        ends = [sorted(weight * bound for bound in RANGES[name]) for name, weight in self.weights.items()]
        return self.bias + sum(low for low, _ in ends), self.bias + sum(high for _, high in ends)

    def score(self, evidence: CopyEvidence) -> Floats:
        """Add up evidence, in the order of `SIGNS`; same shape as its arrays."""
        # One by one: a matrix product adds up in an order that depends on how many candidates there are.
        return np.asarray(sum(self.explain(evidence).values(), np.float64(self.bias)))

    def explain(self, evidence: CopyEvidence) -> dict[str, Floats]:
        """Say what each piece of evidence adds to the score."""
        return {name: self.weights[name] * getattr(evidence, name) for name in SIGNS}


def load_fusion(path: Path = SHIPPED) -> Fusion:
    """Read weights, the shipped ones by default.

    Raises:
        InputError: they are not weights of this evidence.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    return Fusion(content["bias"], content["weights"], content["provenance"])
