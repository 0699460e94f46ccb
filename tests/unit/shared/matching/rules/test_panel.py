"""The panel on pictures whose relation is known: copies, strangers, and the cases where a rule does not apply."""

import numpy as np
import pytest

from shared.index.exact import exact_neighbours
from shared.matching.best_ssim import best_ssim
from shared.matching.duplicates import build_clusters
from shared.matching.null import NullDistribution
from shared.matching.rules.carlini_adaptive import CARLINI_ADAPTIVE
from shared.matching.rules.embedding_cosine import calibrated_clip, sscd
from shared.matching.rules.evidence import Evidence, TrainingSide
from shared.matching.rules.l2_ratio import L2_RATIO
from shared.matching.rules.panel import PUBLISHED_RULES, build_agreement, evaluate
from shared.matching.rules.pdq import PDQ
from shared.matching.rules.ssim import calibrated_ssim
from shared.matching.rules.tiled_l2 import TILED_L2
from shared.matching.view_hashes import hash_views

SIDE_PX = 64


def blobs(count: int, seed: int) -> np.ndarray:
    """Random colour pictures with as much structure on each scale as photographs have (spectrum 1/f), each different."""
    frequency = np.hypot(np.fft.fftfreq(SIDE_PX)[:, None], np.fft.rfftfreq(SIDE_PX)[None])
    frequency[0, 0] = np.inf
    noise = np.random.default_rng(seed).normal(size=(count, 3, SIDE_PX, SIDE_PX))
    field = np.fft.irfft2(np.fft.rfft2(noise) / frequency, s=(SIDE_PX, SIDE_PX))
    field /= field.std(axis=(2, 3), keepdims=True)
    return np.clip(127.5 + 60 * field, 0, 255).astype(np.uint8)


def evidence(generations: np.ndarray, training: np.ndarray) -> Evidence:
    hashes = hash_views(training)
    clusters = build_clusters([str(at) for at in range(len(training))], training, hashes)
    vectors = [_unit(views) for views in (generations, training)]
    shortlists, cosines = exact_neighbours(vectors[0], vectors[1], 1000)
    index, scores = best_ssim(generations, training, shortlists)
    side = TrainingSide(training, clusters, hashes)
    return Evidence(side, generations, shortlists, cosines.astype(np.float64), index, scores, hash_views(generations))


def _unit(views: np.ndarray) -> np.ndarray:
    flat = views.reshape(len(views), -1).astype(np.float32) - 127.5
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def noisy(views: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(9).normal(0, 3, views.shape)
    return np.clip(views + noise, 0, 255).astype(np.uint8)


def test_every_rule_fires_on_copies_and_names_the_item() -> None:
    training = blobs(80, 1)
    found = evaluate(PUBLISHED_RULES, evidence(noisy(training[:70]), training))
    for outcome in found:
        assert outcome.rate is not None
        assert outcome.rate.value > 0.99, outcome.rule.name
        assert outcome.scores.items.tolist() == list(range(70)), outcome.rule.name


def test_no_rule_fires_on_strangers() -> None:
    found = evaluate(PUBLISHED_RULES, evidence(blobs(70, 2), blobs(80, 1)))
    assert {outcome.rule.name: int(outcome.fired.sum()) for outcome in found} == dict.fromkeys(
        (rule.name for rule in PUBLISHED_RULES), 0
    )


def test_ratio_is_taken_outside_the_duplicates_of_the_nearest() -> None:
    twins = np.concatenate([blobs(1, 1), blobs(1, 1), blobs(1, 2)])
    [outcome] = evaluate([L2_RATIO], evidence(noisy(twins[:1]), twins))
    assert outcome.verdict(0) == "fired"
    [alone] = evaluate([L2_RATIO], evidence(noisy(twins[:1]), twins[:2]))
    assert alone.verdict(0) == "undefined"
    assert "outside the duplicates" in alone.row(0)["reason"]


def test_adaptive_rule_needs_fifty_neighbours() -> None:
    training = blobs(50, 1)
    assert evaluate([CARLINI_ADAPTIVE], evidence(noisy(training[:2]), training))[0].verdict(0) == "fired"
    [few] = evaluate([CARLINI_ADAPTIVE], evidence(noisy(training[:2]), training[:49]))
    assert few.verdict(1) == "undefined"
    assert few.rate is None


def test_pdq_is_undefined_on_flat_pictures() -> None:
    training = blobs(5, 1)
    flat = np.full((1, 3, SIDE_PX, SIDE_PX), 200, dtype=np.uint8)
    [outcome] = evaluate([PDQ], evidence(flat, training))
    assert outcome.row(0)["verdict"] == "undefined"
    assert "the generation has too little structure" in outcome.row(0)["reason"]
    [other] = evaluate([PDQ], evidence(training[:1], np.repeat(flat, 5, axis=0)))
    assert "every training image near it" in other.row(0)["reason"]
    small = training[:, :, ::2, ::2]
    assert "less than 64 px" in evaluate([PDQ], evidence(small, small))[0].row(0)["reason"]


def test_flat_original_does_not_stand_in_for_the_adaptive_neighbourhood() -> None:
    flat = np.full((60, 3, SIDE_PX, SIDE_PX), 200, dtype=np.uint8)
    [outcome] = evaluate([CARLINI_ADAPTIVE], evidence(flat[:1], flat))
    assert outcome.verdict(0) == "undefined"


def test_one_changed_tile_is_what_tiled_l2_sees() -> None:
    training = blobs(60, 1)
    altered = training[:1].copy()
    altered[0, :, :16, :16] = 255 - altered[0, :, :16, :16]
    tiled, ratio = evaluate([TILED_L2, L2_RATIO], evidence(altered, training))
    assert tiled.verdict(0) == "not_fired"
    assert ratio.scores.items[0] == 0


def test_calibrated_rules_take_their_threshold_from_the_control() -> None:
    null = NullDistribution((0.1, 0.2, 0.3))
    training = blobs(10, 1)
    seen = evidence(noisy(training[:3]), training)
    found = evaluate([calibrated_ssim(null, 0.001), calibrated_clip(null, 0.001), sscd()], seen)
    assert [outcome.rule.threshold for outcome in found] == [0.3, 0.3, 0.75]
    assert all(outcome.fired.all() for outcome in found)
    assert [outcome.scores.items.tolist() for outcome in found] == [[0, 1, 2]] * 3


def test_agreement_counts_only_where_both_are_defined() -> None:
    training = np.concatenate([blobs(60, 1)])
    flat = np.full((1, 3, SIDE_PX, SIDE_PX), 200, dtype=np.uint8)
    generations = np.concatenate([noisy(training[:2]), blobs(1, 3), flat])
    found = evaluate([TILED_L2, PDQ], evidence(generations, training))
    [agreement] = build_agreement(found)
    assert (agreement.both, agreement.neither, agreement.trials) == (2, 1, 3)
    assert agreement.share == 1.0


def test_blocks_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    training = blobs(60, 1)
    seen = evidence(np.concatenate([noisy(training[:9]), blobs(8, 4)]), training)
    whole = evaluate(PUBLISHED_RULES, seen)
    monkeypatch.setattr("shared.matching.rules.evidence.BLOCK_GENERATIONS", 5)
    parts = evaluate(PUBLISHED_RULES, seen)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one.scores.values, other.scores.values)
        np.testing.assert_array_equal(one.scores.items, other.scores.items)
