"""All statistics of one audit, spelled for `audit.json`: what could explain its headline away, or make it worse.

A statistic that cannot be computed is null with its reason; nothing is left out in silence.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.audit.comparison.compare import Comparison, Corpus, Matched
from services.audit.statistics.authenticity import authentic_share
from services.audit.statistics.data_copying import three_sample_test
from services.audit.statistics.frechet import measure_quality
from services.audit.statistics.kinds import classify, outlier_quantiles
from services.audit.statistics.sweep import sweep
from shared.errors import InputError
from shared.matching.calibration.rate_intervals import rate_json
from shared.matching.ssim_search.exhaustive import shortlist_recall

Features = NDArray[np.float32]


def build_statistics(
    corpus: Corpus, training: Features, generations: Matched, control: Matched, comparison: Comparison, updates: float | None
) -> dict[str, Any]:
    """Compute the statistics of an audit.

    Args:
        corpus: the training set.
        training: float32 (N, D), embeddings of its views: generations are views too, and originals lie elsewhere.
        generations: the model's, matched in the corpus.
        control: held-out pictures, matched in the corpus.
        comparison: what the two came to.
        updates: how often training showed each picture; None for a model trained elsewhere.
    """
    return {
        "shortlist_recall": rate_json(
            shortlist_recall(generations.pictures, corpus.side.views, generations.evidence.shortlists)
        ),
        "data_copying": _tried(lambda: asdict(three_sample_test(training, control.vectors, generations.vectors))),
        "authentic": _tried(lambda: rate_json(authentic_share(training, generations.vectors))),
        "quality": _tried(lambda: asdict(measure_quality(generations.vectors, control.vectors))),
        "sweep": [
            {
                "level": one.level,
                "generations": rate_json(one.generations),
                "control": rate_json(one.control),
                "distinct_items": one.distinct_items,
            }
            for one in sweep(generations.matches.ssim, generations.matches.index, control.matches.ssim)
        ],
        "kinds": _kinds(corpus, training, comparison, updates),
    }


def _kinds(corpus: Corpus, training: Features, comparison: Comparison, updates: float | None) -> dict[str, dict[str, Any]]:
    """Name the kind of memorisation of each copied item, by item id."""
    outliers = outlier_quantiles(training)
    clusters = corpus.side.clusters
    sizes = np.bincount(clusters.labels)
    row = {item_id: at for at, item_id in enumerate(corpus.item_ids)}
    share = len(comparison.copied_items) / len(corpus.item_ids)
    return {
        item_id: asdict(
            classify(
                int(sizes[clusters.labels[row[item_id]]]),
                share,
                updates,
                None if outliers is None else float(outliers[row[item_id]]),
            )
        )
        for item_id in comparison.copied_items
    }


def _tried(compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Compute a statistic, or say why there is none."""
    try:
        return compute()
    except InputError as error:
        return {"undefined": error.message}
