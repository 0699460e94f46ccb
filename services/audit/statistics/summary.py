"""All statistics of one audit for `audit.json`: what could explain its headline away, or make it worse.

A statistic that cannot be computed is stated with the reason. None is left out in silence.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.audit.comparison.compare import Comparison
from services.audit.comparison.matching import Corpus, Matched, embed_views
from services.audit.comparison.slice_calibration import SliceCalibration
from services.audit.statistics.authenticity import authentic_share
from services.audit.statistics.data_copying import three_sample_test
from services.audit.statistics.frechet import measure_quality
from services.audit.statistics.kinds import classify, outlier_quantiles
from services.audit.statistics.sweep import sweep
from shared.errors import InputError
from shared.matching.calibration.rate_intervals import rate_json
from shared.matching.ssim_search.exhaustive import shortlist_recall
from shared.vision.embedding import Embedder

Features = NDArray[np.float32]


def build_statistics(
    calibration: SliceCalibration,
    generations: Matched,
    comparison: Comparison,
    embedder: Embedder,
    updates_per_image: float | None,
) -> dict[str, Any]:
    """Compute the statistics of an audit.

    Args:
        calibration: of the model's slice.
        generations: the model's, matched with the corpus of that slice.
        comparison: of the two.
        embedder: of the audit.
        updates_per_image: how often training showed each picture; None for a model trained elsewhere.
    """
    corpus, control = calibration.corpus, calibration.matched_control
    # Of the views, since generations are views too. The embeddings of originals lie elsewhere.
    training = embed_views(corpus.side.views, embedder)
    return {
        "shortlist_recall": rate_json(
            shortlist_recall(generations.pictures, corpus.side.views, generations.evidence.shortlists)
        ),
        "data_copying": _try_statistic(lambda: asdict(three_sample_test(training, control.vectors, generations.vectors))),
        "authentic": _try_statistic(lambda: rate_json(authentic_share(training, generations.vectors))),
        "quality": _try_statistic(lambda: asdict(measure_quality(generations.vectors, control.vectors))),
        "sweep": [
            {
                "level": level.level,
                "generations": rate_json(level.generations),
                "control": rate_json(level.control),
                "distinct_items": level.distinct_items,
            }
            for level in sweep(generations.matches.ssim, generations.matches.index, control.matches.ssim)
        ],
        "kinds": _kinds(corpus, training, comparison, updates_per_image),
    }


def _kinds(
    corpus: Corpus, training: Features, comparison: Comparison, updates_per_image: float | None
) -> dict[str, dict[str, Any]]:
    """Name the kind of memorisation of each copied item, by item id."""
    outliers = outlier_quantiles(training)
    labels = corpus.side.clusters.labels[: corpus.item_count]
    sizes = np.bincount(labels)
    row = {item_id: at for at, item_id in enumerate(corpus.item_ids[: corpus.item_count])}
    share = len(comparison.copied_items) / corpus.item_count
    return {
        item_id: asdict(
            classify(
                int(sizes[labels[row[item_id]]]),
                share,
                updates_per_image,
                None if outliers is None else float(outliers[row[item_id]]),
            )
        )
        for item_id in comparison.copied_items
    }


def _try_statistic(compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Compute a statistic, or say why there is none."""
    try:
        return compute()
    except InputError as error:
        return {"undefined": error.message}
