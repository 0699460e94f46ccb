"""The evidence that a picture shows an item, and its score.

Rules, in order:

1. There are two ways to be sure: by the view, where the detector of views scores the item, and by the place, where local
   features and windows agree. Each is a bias and a sum of weight · evidence, the log-odds of a copy on the pictures that the
   weights were fitted on.
2. score = log(exp(by view) + exp(by place)): the larger of the two, and a little more where both are sure. So flat art, which
   views tell apart, does not suffer from drawings that share lines, and photographs, of which a part may show, do not need
   their view. Only the order of scores counts: a threshold or p-value comes from a deployment's own control.
3. All evidence speaks for a copy, and no weight is negative. So more agreement never lowers a score.
4. Evidence is bounded, and so is the score (`PictureFusion.score_range`).
5. The weights ship in `weights/picture-fusion-1.json`, with what they were fitted on.
"""

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shared.canonical import canonical_json, sha256_hex
from shared.errors import InputError
from shared.matching.whole_picture.local_features import MAX_FEATURES
from shared.matching.whole_picture.overlay import Overlay

SHIPPED = Path(__file__).parent / "weights" / "picture-fusion-1.json"
# The scores by views between which they count: below the first lies what is unrelated, above the last what is certain.
LEAST_VIEW_SCORE, MOST_VIEW_SCORE = -6.0, 8.0
_MOST_INFORMED = 20.0
# Beyond these, drawings that merely share lines do not come: 24 features, and an informed agreement of 9
# (docs/methods/whole-picture.md). What lies beyond counts by a weight of its own.
SHARED_FEATURES, SHARED_AGREEMENT = math.log(25), 9.0
# The evidence of each way, with its range.
BY_VIEW = {"view_score": (0.0, MOST_VIEW_SCORE - LEAST_VIEW_SCORE)}
BY_PLACE = {
    "features": (0.0, math.log1p(MAX_FEATURES)),
    "many_features": (0.0, math.log1p(MAX_FEATURES) - SHARED_FEATURES),
    "informed_agreement": (0.0, _MOST_INFORMED),
    "much_agreement": (0.0, _MOST_INFORMED - SHARED_AGREEMENT),
    "agreement": (0.0, 1.0),
}


@dataclass(frozen=True)
class PictureEvidence:
    """Evidence for an item.

    Attributes:
        view_score: of the detector of views, above its floor; 0 where the item was not among its candidates.
        features: log(1 + local features that agree with one plane map).
        many_features: what of `features` lies beyond `SHARED_FEATURES`.
        informed_agreement: share of content that agrees, times the information that the item gives.
        much_agreement: what of `informed_agreement` lies beyond `SHARED_AGREEMENT`.
        agreement: of what is drawn, by content; what disagrees counts as 0.
    """

    view_score: float
    features: float
    many_features: float
    informed_agreement: float
    much_agreement: float
    agreement: float

    @classmethod
    def of(cls, view_score: float, features: int, overlay: Overlay) -> "PictureEvidence":
        """Gather evidence; `view_score` is -inf where there is none."""
        agreeing = math.log1p(min(features, MAX_FEATURES))
        informed = min(max(overlay.informed_agreement, 0.0), _MOST_INFORMED)
        return cls(
            view_score=min(max(view_score, LEAST_VIEW_SCORE), MOST_VIEW_SCORE) - LEAST_VIEW_SCORE,
            features=agreeing,
            many_features=max(0.0, agreeing - SHARED_FEATURES),
            informed_agreement=informed,
            much_agreement=max(0.0, informed - SHARED_AGREEMENT),
            agreement=min(max(overlay.agreement, 0.0), 1.0),
        )


@dataclass(frozen=True)
class PictureFusion:
    """The weights of rule 1; `provenance` says what they were fitted on."""

    view_bias: float
    place_bias: float
    weights: dict[str, float]
    provenance: dict[str, Any]

    def __post_init__(self) -> None:
        """Refuse other evidence, or a negative weight."""
        expected = {**BY_VIEW, **BY_PLACE}
        if set(self.weights) != set(expected):
            raise InputError(f"expected weights of {sorted(expected)}, got {sorted(self.weights)}", code="fusion_bad")
        wrong = [name for name, weight in self.weights.items() if not weight >= 0]
        if wrong:
            raise InputError(f"expected weights of at least 0, got others for {wrong}", code="fusion_bad")

    @property
    def sha256(self) -> str:
        """Digest of biases and weights."""
        return sha256_hex(canonical_json({"view": self.view_bias, "place": self.place_bias, "weights": self.weights}))

    @property
    def score_range(self) -> tuple[float, float]:
        """The lowest and the highest score that evidence can add up to."""
        low, high = ({name: ends[at] for name, ends in {**BY_VIEW, **BY_PLACE}.items()} for at in (0, 1))
        return self._add(low), self._add(high)

    def score(self, evidence: PictureEvidence) -> float:
        """Add up evidence."""
        return self._add(asdict(evidence))

    def _ways(self, values: dict[str, float]) -> tuple[float, float]:
        by_view, by_place = (sum(self.weights[name] * values[name] for name in way) for way in (BY_VIEW, BY_PLACE))
        return self.view_bias + by_view, self.place_bias + by_place

    def _add(self, values: dict[str, float]) -> float:
        larger, smaller = sorted(self._ways(values), reverse=True)
        return larger + math.log1p(math.exp(smaller - larger))


@cache
def load_picture_fusion(path: Path = SHIPPED) -> PictureFusion:
    """Read weights, the shipped ones by default.

    Raises:
        InputError: they are not weights of this evidence.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    return PictureFusion(content["view_bias"], content["place_bias"], content["weights"], content["provenance"])
