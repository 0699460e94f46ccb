"""The detector: copies found and named, whatever was done to them; saving, shortlists from elsewhere, refusals."""

import numpy as np
import pytest

from shared.errors import InputError
from shared.matching.copy_detection import CopyDetector, Detections
from shared.matching.copy_detection.indexed_views import warp_views
from shared.matching.copy_detection.orientations import build_matrix, find_source, turn_views
from shared.matching.copy_detection.shortlist import CANDIDATES, merge_points
from tests.unit.shared.matching.copy_detection.drawings import draw

ITEMS = draw(60)
CONTROL = draw(40, seed=1)


@pytest.fixture(scope="module")
def detector() -> CopyDetector:
    return CopyDetector.build(ITEMS)


def cover(views: np.ndarray) -> np.ndarray:
    covered = views.copy()
    covered[:, :, 5:25, 30:60] = 90
    return covered


COPIES = {
    "same": ITEMS,
    "mirrored": np.ascontiguousarray(ITEMS[..., ::-1]),
    "corner": warp_views(ITEMS, np.array([0.78, 0, 6, -6])),
    "turned": warp_views(ITEMS, np.array([np.cos(0.12), np.sin(0.12), 0, 0])),
    "darker": (ITEMS * 0.65).astype(np.uint8),
    "covered": cover(ITEMS),
    "noisy": np.clip(ITEMS + np.random.default_rng(2).normal(0, 18, ITEMS.shape), 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_named_and_score_above_the_control(detector: CopyDetector, kind: str) -> None:
    detections = detector.detect(COPIES[kind])
    assert (detections.items == np.arange(60)).mean() >= 0.95
    null = detector.calibrate(CONTROL)
    assert null.fires(detections.scores, 0.05).mean() >= 0.9
    if kind in {"same", "mirrored"}:
        assert (detections.mirrored == (kind == "mirrored")).all()


@pytest.mark.parametrize("items", [60, 4], ids=["many items", "fewer items than candidates"])
def test_the_same_input_gives_the_same_output_in_any_batch(items: int) -> None:
    detector, pictures = CopyDetector.build(ITEMS[:items]), np.concatenate([CONTROL, COPIES["turned"]])
    whole = detector.detect(pictures)
    for size in (1, 3, 32):
        parts = [detector.detect(pictures[start : start + size]) for start in range(0, len(pictures), size)]
        for name in ("scores", "items", "cosines", "placements"):
            assert np.array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name)), (size, name)


def test_the_score_is_the_sum_of_what_is_explained(detector: CopyDetector) -> None:
    detections = detector.detect(COPIES["covered"][:5])
    parts = detector.fusion.explain(detections.evidence)
    assert np.allclose(sum(parts.values()) + detector.fusion.bias, detections.scores)
    assert detections.evidence.map.shape == (5, 15, 15)
    # The covered corner is where the windows disagree.
    assert np.nanmean(detections.evidence.map[:, 2:5, 9:13]) < np.nanmean(detections.evidence.map[:, 8:, :])


def test_a_shortlist_from_an_index_gives_the_same(detector: CopyDetector) -> None:
    generations = COPIES["turned"][:4]
    both = [detector.descriptor.describe(rows) for rows in (generations, np.ascontiguousarray(generations[..., ::-1]))]
    cosines = np.stack([rows @ detector.points.rows.T for rows in both], axis=1)
    numbers = np.broadcast_to(np.arange(len(detector.points)), cosines.shape)
    shortlist = merge_points(numbers % 60, numbers // 60, cosines)
    assert shortlist.items.shape == (4, CANDIDATES)
    shortlisted, searched = detector.detect(generations, shortlist), detector.detect(generations)
    assert np.array_equal(shortlisted.items, searched.items)
    assert np.allclose(shortlisted.scores, searched.scores, atol=1e-4)


def test_a_generation_without_candidates_has_no_item(detector: CopyDetector) -> None:
    nothing = merge_points(np.full((1, 2, 3), -1), np.zeros((1, 2, 3), np.int64), np.zeros((1, 2, 3), np.float32))
    detections = detector.detect(ITEMS[:1], nothing)
    assert detections.items.tolist() == [-1]
    assert detections.scores.tolist() == [-np.inf]


def test_no_generations_give_no_detections(detector: CopyDetector) -> None:
    detections = detector.detect(ITEMS[:0])
    assert isinstance(detections, Detections)
    assert detections.scores.shape == (0,)


def test_an_empty_corpus_is_refused() -> None:
    with pytest.raises(InputError, match="at least one registered item"):
        CopyDetector.build(ITEMS[:0])


@pytest.mark.parametrize("orientation", range(8))
def test_a_copy_is_found_however_it_is_turned_and_mirrored(detector: CopyDetector, orientation: int) -> None:
    turned = turn_views(ITEMS[:20], orientation)
    detections = detector.detect(turned)
    assert (detections.items == np.arange(20)).mean() >= 0.95
    found = detections.items == np.arange(20)
    # What it is read in undoes what was done to it.
    undone = [turn_views(view, at) for view, at in zip(turned, detections.orientations.tolist(), strict=True)]
    np.testing.assert_array_equal(np.stack(undone)[found], ITEMS[:20][found])
    upright = detector.detect(turned, orientations=2)
    assert (upright.orientations < 2).all()
    if orientation < 2:
        np.testing.assert_array_equal(upright.scores, detections.scores)


@pytest.mark.parametrize("orientation", range(8))
def test_an_orientation_is_read_where_its_matrix_says(orientation: int) -> None:
    view = np.arange(16, dtype=np.uint8).reshape(4, 4)
    turned, matrix = turn_views(view, orientation), build_matrix(orientation)
    for y in range(4):
        for x in range(4):
            across, down = matrix @ np.array([x - 1.5, y - 1.5]) + 1.5
            assert turned[round(down), round(across)] == view[y, x]
            line, column = find_source(orientation, 4, round(down), round(across))
            assert (line, column) == (y, x)
