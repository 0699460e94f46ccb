"""Compile every loop of the matching engine ahead of its first use: `python -m shared.matching.compile_ahead`.

The compiled code is cached beside the sources (or in `NUMBA_CACHE_DIR`). So it costs half a minute once, at installation, and
the first check of a server nothing. Nothing depends on it: a loop that is not compiled yet is compiled when it is called.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.index.coded_scan import ScannedRows
from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.match_classification import measure_matches
from shared.matching.panel.tile_distances import tile_distances
from shared.matching.ssim_search.best_ssim import best_ssim, pairwise_ssim
from shared.matching.ssim_search.exhaustive import find_exhaustive_best
from shared.matching.ssim_search.ssim_terms import BoundedViews, build_means
from shared.matching.ssim_search.turned_ssim import best_turned_ssim
from shared.matching.whole_picture.detector import PictureDetector
from shared.matching.whole_picture.memory_pictures import MemoryPictures
from shared.vision.similarity.metrics import measure_similarity
from shared.vision.views import view_to_image


def compile_loops() -> None:
    """Call each compiled function once, on pictures of noise, grey and colour."""
    random = np.random.default_rng(0)
    for shape in ((1, 24, 24), (3, 64, 64)):
        views = random.integers(0, 256, (4, *shape), dtype=np.uint8)
        shortlists = np.tile(np.arange(4, dtype=np.int64), (4, 1))
        measure_similarity(views[:1], views[1:2])
        measure_similarity(views, views[::-1])
        best_ssim(views, views, shortlists)
        pairwise_ssim(views, views, shortlists)
        find_exhaustive_best(views, views)
        tile_distances(views, views, shortlists)
        # As the gate has them: mapped from files, which nobody may write to.
        mapped = _as_mapped(views)
        bounded = BoundedViews(mapped, _as_mapped(build_means(views)))
        best_turned_ssim(views, bounded, shortlists, shortlists[:, 0], best_ssim(views, bounded, shortlists))
        tile_distances(views, mapped, shortlists)
    detector = CopyDetector.build(mapped)
    points = detector.points
    scanned = ScannedRows(_as_mapped(points.rows), _as_mapped(points.codes), _as_mapped(points.terms))
    detector = replace(detector, points=scanned)
    measure_matches(views, mapped, detector.detect(views))
    measure_matches(views, views, CopyDetector.build(views).detect(views))
    pictures = [view_to_image(view) for view in views]
    corpus = MemoryPictures(pictures)
    PictureDetector.of(corpus, detector, corpus.regions).detect(pictures[0], [0])


def _as_mapped(rows: NDArray[Any]) -> NDArray[Any]:
    mapped = rows.copy()
    mapped.flags.writeable = False
    return mapped


if __name__ == "__main__":
    compile_loops()
