"""Pictures whose relation is known, and the blocks in which rules compare them."""

from collections.abc import Sequence

import numpy as np

from shared.index.exact_neighbours import exact_neighbours
from shared.matching.calibration.null_distribution import NullDistribution
from shared.matching.panel.comparison_block import ComparisonBlock, ItemScores
from shared.matching.panel.panel import RuleResult, evaluate
from shared.matching.panel.rule import RuleDefinition
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.matching.ssim_search.turned_ssim import best_turned_ssim
from shared.matching.training_set.duplicates import build_clusters
from shared.matching.training_set.training_set import TrainingSet
from shared.matching.training_set.view_hashes import hash_views
from shared.vision.views import Pixels

SIDE_PX = 64
CONTROL = NullDistribution((0.1, 0.2, 0.3))


def blobs(count: int, seed: int) -> Pixels:
    """Random colour pictures with as much structure on each scale as photographs have (spectrum 1/f), each different."""
    frequency = np.hypot(np.fft.fftfreq(SIDE_PX)[:, None], np.fft.rfftfreq(SIDE_PX)[None])
    frequency[0, 0] = np.inf
    noise = np.random.default_rng(seed).normal(size=(count, 3, SIDE_PX, SIDE_PX))
    field = np.fft.irfft2(np.fft.rfft2(noise) / frequency, s=(SIDE_PX, SIDE_PX))
    field /= field.std(axis=(2, 3), keepdims=True)
    return np.clip(127.5 + 60 * field, 0, 255).astype(np.uint8)


def noisy(views: Pixels) -> Pixels:
    noise = np.random.default_rng(9).normal(0, 3, views.shape)
    return np.clip(views + noise, 0, 255).astype(np.uint8)


def flat(count: int) -> Pixels:
    return np.full((count, 3, SIDE_PX, SIDE_PX), 200, dtype=np.uint8)


def build_block(generations: Pixels, training: Pixels) -> ComparisonBlock:
    hashes = hash_views(training)
    clusters = build_clusters([str(row) for row in range(len(training))], training, hashes)
    vectors = [_unit(views) for views in (generations, training)]
    shortlists, cosines = exact_neighbours(vectors[0], vectors[1], 1000)
    index, scores = best_ssim(generations, training, shortlists)
    training_set = TrainingSet(training, clusters, hashes)
    turned_index, turned_scores = best_turned_ssim(generations, training, shortlists)
    return ComparisonBlock(
        training_set,
        generations,
        shortlists,
        cosines.astype(np.float64),
        index,
        scores,
        hash_views(generations),
        turned=ItemScores(turned_scores, turned_index),
    )


def _unit(views: Pixels) -> np.ndarray:
    rows = views.reshape(len(views), -1).astype(np.float32) - 127.5
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def apply_rules(definitions: Sequence[RuleDefinition], block: ComparisonBlock) -> tuple[RuleResult, ...]:
    return evaluate([definition.with_threshold(CONTROL, 0.001) for definition in definitions], block)


def apply_rule(definition: RuleDefinition, block: ComparisonBlock) -> RuleResult:
    return apply_rules([definition], block)[0]
