"""The best match of a generation: shortlist, best SSIM, and the metrics of that pair."""

import numpy as np

from shared.matching.ssim_search.best_match import find_best_matches
from tests.unit.shared.vision.similarity.pictures import photograph


def test_a_shortlist_longer_than_a_manifest_of_one_image() -> None:
    view = photograph("coffee")[:16, :16].transpose(2, 0, 1)[None].copy()
    matches = find_best_matches(np.repeat(view, 2, axis=0), view, np.zeros((2, 50), np.int64))
    assert matches.index.tolist() == [0, 0]
    np.testing.assert_allclose(matches.ssim, 1, atol=1e-6)
    assert matches.metrics.identical.all()
