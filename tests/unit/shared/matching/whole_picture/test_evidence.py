"""Evidence and score of a picture: bounded, and no more of it ever lowers the score."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.matching.whole_picture.evidence import BY_PLACE, BY_VIEW, PictureEvidence, PictureFusion, load_picture_fusion
from shared.matching.whole_picture.overlay import Overlay

RANGES = {**BY_VIEW, **BY_PLACE}
NOTHING = Overlay.nothing(np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.uint8))
finite = st.floats(-1e3, 1e3)
shares = st.floats(0, 1)


def overlays() -> st.SearchStrategy[Overlay]:
    return st.builds(
        lambda agreement, agreeing, information: replace(
            NOTHING, agreement=agreement, agreeing=agreeing, information=information
        ),
        st.floats(-1, 1),
        shares,
        st.floats(0, 3000),
    )


@given(st.one_of(finite, st.just(-math.inf)), st.integers(0, 5000), overlays())
def test_no_evidence_and_no_score_leaves_its_range(view_score: float, features: int, overlay: Overlay) -> None:
    evidence = PictureEvidence.of(view_score, features, overlay)
    for name, value in asdict(evidence).items():
        low, high = RANGES[name]
        assert low <= value <= high, name
    lowest, highest = load_picture_fusion().score_range
    assert lowest <= load_picture_fusion().score(evidence) <= highest


@given(finite, st.integers(0, 600), overlays(), shares, st.integers(0, 600), st.floats(0, 5))
def test_more_agreement_never_lowers_the_score(
    view_score: float, features: int, overlay: Overlay, more: float, more_features: int, more_view: float
) -> None:
    fusion = load_picture_fusion()
    score = fusion.score(PictureEvidence.of(view_score, features, overlay))
    better = replace(overlay, agreement=min(1.0, overlay.agreement + more), agreeing=min(1.0, overlay.agreeing + more))
    assert fusion.score(PictureEvidence.of(view_score, features, better)) >= score
    assert fusion.score(PictureEvidence.of(view_score, features + more_features, overlay)) >= score
    assert fusion.score(PictureEvidence.of(view_score + more_view, features, overlay)) >= score


def test_either_way_suffices() -> None:
    fusion = load_picture_fusion()
    sure = replace(NOTHING, agreement=0.98, agreeing=0.99, information=700.0)
    strangers = fusion.score(PictureEvidence.of(-4.0, 0, NOTHING))
    by_place = PictureEvidence.of(-math.inf, 60, sure)
    by_view = PictureEvidence.of(6.0, 0, NOTHING)
    assert fusion.score(by_place) > strangers + 5
    assert fusion.score(by_view) > strangers + 5
    # The larger of the two counts, and both together a little more.
    both = replace(by_place, view_score=by_view.view_score)
    largest = max(fusion.score(by_place), fusion.score(by_view))
    assert largest < fusion.score(both) <= largest + math.log(2)


def test_other_evidence_or_a_negative_weight_is_refused() -> None:
    weights = dict.fromkeys(RANGES, 1.0)
    with pytest.raises(InputError, match="at least 0, got others for \\['agreement'\\]"):
        PictureFusion(0.0, 0.0, weights | {"agreement": -1.0}, {})
    with pytest.raises(InputError, match="expected weights of"):
        PictureFusion(0.0, 0.0, {"agreement": 1.0}, {})
