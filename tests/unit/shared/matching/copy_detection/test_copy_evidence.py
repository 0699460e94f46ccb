"""Evidence from window sums: a perfect pair, one that shows something else, and one that is covered in part."""

import numpy as np

from shared.matching.copy_detection.copy_evidence import CopyEvidence, weigh
from shared.matching.copy_detection.indexed_views import STARTS

RANDOM = np.random.default_rng(0)
ITEM, OTHER = (RANDOM.normal(128, 40, (64, 64)) for _ in range(2))


def evidence(generation: np.ndarray, item: np.ndarray, placement: np.ndarray = STARTS[0], cosine: float = 0.9) -> CopyEvidence:
    planes = np.ones((64, 64)), generation, item, generation**2, item**2, generation * item
    blocks = np.stack([plane.reshape(16, 4, 16, 4).sum(axis=(1, 3)) for plane in planes]).astype(np.float32)
    return weigh(np.array([[cosine]]), placement[None, None], blocks[None, None])


def test_a_perfect_pair_agrees_everywhere() -> None:
    perfect = evidence(ITEM, ITEM)
    assert perfect.agreement[0, 0] > 0.99
    assert perfect.contradicted[0, 0] == 0
    assert perfect.outside[0, 0] == 0
    assert perfect.unmoved[0, 0] == 1
    assert perfect.tone[0, 0] < 1e-3
    assert perfect.map.shape == (1, 1, 15, 15)


def test_another_picture_is_less_of_a_copy_by_every_piece_of_evidence() -> None:
    copy, stranger = evidence(ITEM, ITEM), evidence(OTHER, ITEM)
    for name in ("item_agreement", "informed_agreement", "uncovered_agreement", "ssim", "agreement"):
        assert getattr(stranger, name)[0, 0] < getattr(copy, name)[0, 0], name
    assert stranger.contradicted[0, 0] > 0.9
    assert stranger.tone[0, 0] > copy.tone[0, 0]


def test_a_cover_of_a_third_hardly_lowers_what_is_beside_it() -> None:
    covered = ITEM.copy()
    covered[8:40, 8:40] = OTHER[8:40, 8:40]
    perfect, partly, stranger = evidence(ITEM, ITEM), evidence(covered, ITEM), evidence(OTHER, ITEM)
    middle = (perfect.uncovered_agreement + stranger.uncovered_agreement) / 2
    assert partly.uncovered_agreement[0, 0] > middle[0, 0]
    assert partly.map[0, 0, 5, 5] < 0.5 < partly.map[0, 0, 12, 12]


def test_flat_pictures_are_no_evidence() -> None:
    flat = evidence(np.full((64, 64), 255.0), np.full((64, 64), 255.0))
    for name in ("informed_agreement", "uncovered_agreement"):
        assert abs(getattr(flat, name)[0, 0]) < 0.01, name
    assert flat.contradicted[0, 0] == 0


def test_turn_and_shift_are_read_from_the_placement() -> None:
    angle = np.radians(5)
    turned = evidence(ITEM, ITEM, np.array([np.cos(angle), np.sin(angle), 0, 0, 1, 0]))
    np.testing.assert_allclose(turned.turned, 5)
    assert turned.unmoved[0, 0] < 1e-4
    assert evidence(ITEM, ITEM, np.array([1.0, 0, 1.5, 0, 1, 0])).unmoved[0, 0] == np.exp(-1)


def test_one_candidate_of_each_generation_is_taken() -> None:
    pairs = [evidence(ITEM, ITEM, cosine=cosine) for cosine in (0.9, 0.5)]
    both = CopyEvidence(
        **{name: np.concatenate([getattr(pair, name) for pair in pairs], axis=1) for name in CopyEvidence.__dataclass_fields__}
    )
    assert both.take(np.array([1])).descriptor.tolist() == pairs[1].descriptor[0].tolist()
    assert both.take(np.array([0])).map.shape == (1, 15, 15)
