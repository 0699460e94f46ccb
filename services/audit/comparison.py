"""Comparison: every generation of a model against its training items, and the control through the same pipeline.

Rules, in order:

1. Generations and control images take one path, which is also the gate's: view at the model's resolution, embed, shortlist
   among the embeddings of the training originals, best SSIM in the shortlist, the suite on that pair.
2. A generation is a copy where its best SSIM exceeds the control's threshold at the chosen rate.
3. Two counts: the share of generations that are copies, and the distinct training items they copy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.errors import InputError
from shared.index.exact import exact_neighbours
from shared.matching.best_match import BestMatches, find_best_matches
from shared.matching.intervals import Rate, build_rate
from shared.matching.null import CrossFit, NullDistribution, cross_fit
from shared.vision.embedding import Embedder
from shared.vision.views import Pixels, view_to_image


@dataclass(frozen=True)
class Corpus:
    """What generations are compared with: a manifest's views and its originals' embeddings, in its order."""

    item_ids: tuple[str, ...]
    views: Pixels
    vectors: NDArray[np.float32]


@dataclass(frozen=True)
class Comparison:
    """What a model's generations and its control came to."""

    matches: BestMatches
    p_values: NDArray[np.float64]
    fired: NDArray[np.bool_]
    null: NullDistribution
    threshold: float
    attained_rate: float
    control_check: CrossFit
    copies: Rate
    copied_items: tuple[str, ...]


def match_against(corpus: Corpus, pictures: Pixels, embedder: Embedder, neighbours: int) -> BestMatches:
    """Send pictures, uint8 (G, C, H, W), through embed → shortlist → best SSIM → suite."""
    shortlists, _ = exact_neighbours(embedder.embed(_images(pictures)), corpus.vectors, neighbours)
    return find_best_matches(pictures, np.asarray(corpus.views), shortlists)


def compare(corpus: Corpus, generations: Pixels, null: NullDistribution, matches: BestMatches, rate: float) -> Comparison:
    """Judge matched generations by a control.

    Args:
        corpus: the training set.
        generations: uint8, shape (G, C, H, W).
        null: the control's best scores.
        matches: the generations' best matches in the corpus.
        rate: chosen false-positive rate, 0 < rate ≤ 0.5.

    Raises:
        InputError: no generations, or a rate out of range.
    """
    if len(generations) == 0 or not 0 < rate <= 0.5:
        raise InputError(f"expected generations and a rate in (0, 0.5], got {len(generations)} and {rate}")
    fired = null.fires(matches.ssim, rate)
    copied = sorted({corpus.item_ids[at] for at in matches.index[fired]})
    return Comparison(
        matches=matches,
        p_values=null.p_values(matches.ssim),
        fired=fired,
        null=null,
        threshold=null.threshold(rate),
        attained_rate=null.attained_rate(rate),
        control_check=cross_fit(null, rate),
        copies=build_rate(int(fired.sum()), len(generations)),
        copied_items=tuple(copied),
    )


def _images(views: Pixels) -> list[Image.Image]:
    return [view_to_image(view).convert("RGB") for view in np.asarray(views)]
