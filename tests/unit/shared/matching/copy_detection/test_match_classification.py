"""The kind of a match: what was done to a drawing is what is said of it, and no more."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.indexed_views import warp_views
from shared.matching.copy_detection.match_classification import MatchMeasurements, classify, measure_matches, measure_pair
from tests.unit.shared.matching.copy_detection.drawings import draw

ITEMS = draw(60)
STRANGERS = draw(40, seed=1)
WHOLE = MatchMeasurements(
    agreement=0.97, contradicted=0.0, recoloured=0.0, shown=1.0, turned_degrees=0.2, scale=1.0, mirrored=False
)


@pytest.fixture(scope="module")
def detector() -> CopyDetector:
    return CopyDetector.build(ITEMS)


def cover(views: np.ndarray) -> np.ndarray:
    covered = views.copy()
    covered[:, :, 20:40, 20:40] = 90
    return covered


COPIES = {
    "same": (ITEMS, "whole"),
    "noisy": (np.clip(ITEMS + np.random.default_rng(2).normal(0, 12, ITEMS.shape), 0, 255).astype(np.uint8), "whole"),
    "darker": ((ITEMS * 0.7).astype(np.uint8), "whole"),
    "mirrored": (np.ascontiguousarray(ITEMS[..., ::-1]), "transformed"),
    "corner": (warp_views(ITEMS, np.array([0.78, 0, 6, -6])), "transformed"),
    "turned": (warp_views(ITEMS, np.array([np.cos(0.12), np.sin(0.12), 0, 0])), "transformed"),
    "covered": (cover(ITEMS), "part"),
    "small part": (warp_views(ITEMS, np.array([0.64, 0, 4, -4])), "part"),
}


@pytest.mark.parametrize("name", COPIES)
def test_what_was_done_to_a_drawing_is_its_kind(detector: CopyDetector, name: str) -> None:
    views, expected = COPIES[name]
    detections = detector.detect(views)
    figures = measure_matches(views, ITEMS, detections)
    right = [
        classify(measured)
        for measured, item, at in zip(figures, detections.items, range(60), strict=True)
        if measured and item == at
    ]
    assert len(right) >= 50
    assert np.mean([measured == expected for measured in right]) >= 0.9, (name, right)


def test_the_same_drawing_in_other_colours_is_recoloured(detector: CopyDetector) -> None:
    # The same luma, and so the same drawing to the detector: only chroma differs.
    luma = np.einsum("nchw,c->nhw", ITEMS.astype(np.float64), np.array([0.299, 0.587, 0.114]))
    tinted = np.stack([luma + 36, luma - 24, luma + 30], axis=1).clip(0, 255).astype(np.uint8)
    detections = detector.detect(tinted)
    kinds = [
        classify(measured)
        for measured, item, at in zip(measure_matches(tinted, ITEMS, detections), detections.items, range(60), strict=True)
        if measured and item == at
    ]
    assert len(kinds) >= 40
    assert np.mean([kind == "recoloured" for kind in kinds]) >= 0.8


def test_any_item_can_be_laid_over_a_generation(detector: CopyDetector) -> None:
    mirrored = np.ascontiguousarray(ITEMS[7][..., ::-1])
    right, wrong = measure_pair(detector, mirrored, 7), measure_pair(detector, mirrored, 8)
    assert right is not None
    assert wrong is not None
    assert (classify(right), classify(wrong)) == ("transformed", "unspecified")
    assert right == measure_matches(mirrored[None], ITEMS, detector.detect(mirrored[None]))[0]


def test_of_a_stranger_nothing_is_said(detector: CopyDetector) -> None:
    figures = measure_matches(STRANGERS, ITEMS, detector.detect(STRANGERS))
    assert np.mean([measured is not None and classify(measured) == "unspecified" for measured in figures]) >= 0.9


def test_no_candidate_has_no_figures(detector: CopyDetector) -> None:
    detections = detector.detect(ITEMS[:2])
    assert measure_matches(ITEMS[:2], ITEMS, replace(detections, items=np.array([-1, 1])))[0] is None


def test_an_item_that_is_its_own_mirror_image_is_not_called_mirrored(detector: CopyDetector) -> None:
    even = ITEMS.copy()
    even[..., 32:] = even[..., 31::-1]
    detections = CopyDetector.build(even).detect(even[:4])
    for measured in measure_matches(even[:4], even, replace(detections, orientations=np.ones(4, np.int64))):
        assert measured is not None
        assert not measured.mirrored


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({}, "whole"),
        ({"agreement": 0.49, "mirrored": True}, "unspecified"),
        ({"contradicted": 0.05, "recoloured": 0.5}, "part"),
        ({"shown": 0.49, "recoloured": 0.5}, "part"),
        ({"recoloured": 0.04, "mirrored": True}, "recoloured"),
        ({"recoloured": 0.04, "contradicted": 0.02}, "unspecified"),
        ({"recoloured": 0.039}, "whole"),
        ({"turned_degrees": 2.1}, "transformed"),
        ({"shown": 0.89}, "transformed"),
        ({"scale": 0.94}, "transformed"),
        ({"mirrored": True}, "transformed"),
    ],
)
def test_the_first_rule_that_holds_says_the_kind(changed: dict[str, Any], kind: str) -> None:
    assert classify(replace(WHOLE, **changed)) == kind
