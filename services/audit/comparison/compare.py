"""Comparison: every generation of a model against its training items, and the control through the same pipeline.

Rules, in order:

1. Generations and control images take one path, which is also the gate's: view at the model's resolution, embed, shortlist
   among the embeddings of the training originals, best SSIM in the shortlist, the suite on that pair.
2. A generation is a copy where its best SSIM exceeds the control's threshold at the chosen rate.
3. Two counts: the share of generations that are copies, and the distinct training items they copy.
4. Every rule of the panel judges generations and control alike; what they find stands side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.errors import InputError
from shared.index.exact_neighbours import exact_neighbours
from shared.matching.calibration.null_distribution import ControlScores, CrossFit, NullDistribution, cross_fit
from shared.matching.calibration.rate_intervals import Rate, build_rate
from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.copy_embedder import RECIPE as COPY_RECIPE
from shared.matching.panel.comparison_block import ComparisonBlock, CopyScores
from shared.matching.panel.panel import Agreement, RuleResult, build_agreement, build_panel, evaluate, score_control
from shared.matching.ssim_search.best_match import BestMatches, find_best_matches
from shared.matching.ssim_search.best_ssim import best_ssim
from shared.matching.training_set.training_set import TrainingSet
from shared.matching.training_set.view_hashes import hash_views
from shared.vision.embedding import Embedder
from shared.vision.views import Pixels, build_view, view_to_image

# The rule by which the headline of an audit says "copy"; the study's own procedure.
HEADLINE_RULE = "ssim"


@dataclass(frozen=True)
class Corpus:
    """What generations are compared with: a manifest's views and its originals' embeddings, in its order."""

    item_ids: tuple[str, ...]
    side: TrainingSet
    vectors: NDArray[np.float32]
    detector: CopyDetector


@dataclass(frozen=True)
class Matched:
    """Pictures, uint8 (G, C, H, W), with their embeddings and best matches, and what the rules look at."""

    pictures: Pixels
    vectors: NDArray[np.float32]
    matches: BestMatches
    evidence: ComparisonBlock


@dataclass(frozen=True)
class Comparison:
    """What a model's generations and its control came to.

    `panel` and `control_panel` hold an outcome a rule, in the same order, for generations and for the control.
    """

    matches: BestMatches
    p_values: NDArray[np.float64]
    fired: NDArray[np.bool_]
    null: NullDistribution
    threshold: float
    attained_rate: float
    control_check: CrossFit
    copies: Rate
    copied_items: tuple[str, ...]
    panel: tuple[RuleResult, ...]
    control_panel: tuple[RuleResult, ...]
    agreement: list[Agreement]


# `match_against`, or another function that gives the same.
Match = Callable[[Corpus, Pixels, Embedder, int], Matched]


def match_against(corpus: Corpus, pictures: Pixels, embedder: Embedder, neighbours: int) -> Matched:
    """Send pictures, uint8 (G, C, H, W), through embed → shortlist → best SSIM → suite, and through the copy detector."""
    return match_embedded(corpus, pictures, embed_views(pictures, embedder), neighbours)


def match_embedded(corpus: Corpus, pictures: Pixels, vectors: NDArray[np.float32], neighbours: int) -> Matched:
    """Do what `match_against` does with pictures whose embeddings, float32 (G, D), are made already."""
    copies = corpus.detector.detect(np.stack([build_view(image, COPY_RECIPE) for image in _images(pictures)]))
    shortlists, cosines = exact_neighbours(vectors, corpus.vectors, neighbours)
    matches = find_best_matches(pictures, np.asarray(corpus.side.views), shortlists)
    evidence = ComparisonBlock(
        training=corpus.side,
        views=pictures,
        shortlists=shortlists,
        cosines=cosines.astype(np.float64),
        best_item=matches.index,
        best_ssim=matches.ssim,
        hashes=hash_views(pictures),
        copies=CopyScores(copies.scores, copies.items),
    )
    return Matched(pictures, vectors, matches, evidence)


def best_in_shortlists(
    pictures: Pixels, views: Pixels, vectors: NDArray[np.float32], embedder: Embedder, neighbours: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the best SSIM of pictures as `match_against` does, where nothing else is asked.

    Args:
        pictures: uint8 (G, C, H, W).
        views: uint8 (N, C, H, W), what they are compared with.
        vectors: float32 (N, D), embeddings of the originals of these.
        embedder: makes the shortlists.
        neighbours: length of a shortlist.

    Returns:
        The view of each, int64 (G,), and the SSIM with it, float64 (G,).
    """
    shortlists, _ = exact_neighbours(embed_views(pictures, embedder), vectors, neighbours)
    return best_ssim(pictures, views, shortlists)


def embed_views(views: Pixels, embedder: Embedder) -> NDArray[np.float32]:
    """Embed views, uint8 (N, C, H, W); returns float32 (N, D)."""
    return embedder.embed(_images(views))


def build_control_scores(matched: Matched, pipeline: dict[str, Any]) -> ControlScores:
    """Gather what the control came to by the rules that are calibrated."""
    scores = score_control(matched.evidence, pipeline["embedder"])
    return ControlScores({rule: tuple(map(float, values)) for rule, values in scores.items()}, pipeline)


def compare(corpus: Corpus, generations: Matched, control: Matched, scores: ControlScores, rate: float) -> Comparison:
    """Judge matched generations by a control.

    Args:
        corpus: the training set.
        generations: the model's, matched in the corpus.
        control: held-out pictures, matched in the corpus.
        scores: what the control came to.
        rate: chosen false-positive rate, 0 < rate ≤ 0.5.

    Raises:
        InputError: no generations, or a rate out of range.
    """
    matches = generations.matches
    if len(matches.ssim) == 0 or not 0 < rate <= 0.5:
        raise InputError(f"expected generations and a rate in (0, 0.5], got {len(matches.ssim)} and {rate}")
    null = scores.null(HEADLINE_RULE)
    fired = null.fires(matches.ssim, rate)
    rules = build_panel(scores, rate, scores.pipeline["embedder"])
    panel = evaluate(rules, generations.evidence)
    return Comparison(
        matches=matches,
        p_values=null.p_values(matches.ssim),
        fired=fired,
        null=null,
        threshold=null.threshold(rate),
        attained_rate=null.attained_rate(rate),
        control_check=cross_fit(null, rate),
        copies=build_rate(int(fired.sum()), len(matches.ssim)),
        copied_items=copied_items(corpus, matches.index[fired]),
        panel=panel,
        control_panel=evaluate(rules, control.evidence),
        agreement=build_agreement(panel),
    )


def copied_items(corpus: Corpus, rows: NDArray[np.int64]) -> tuple[str, ...]:
    """Return the ids of the items in rows of a corpus, each once, in their order."""
    return tuple(sorted({corpus.item_ids[at] for at in rows}))


def _images(views: Pixels) -> list[Image.Image]:
    return [view_to_image(view).convert("RGB") for view in np.asarray(views)]
