"""Fitting: a small map and weights that tell copies from others, from the same seed the same."""

import numpy as np

from shared.matching.copy_detection.fitting import fit_descriptor, fit_fusion
from shared.matching.copy_detection.fusion import SIGNS
from shared.matching.copy_detection.synthetic_copies import build_synthetic_copies
from tests.unit.shared.matching.copy_detection.drawings import draw


def test_a_fitted_map_brings_copies_near() -> None:
    views = draw(60)
    descriptor = fit_descriptor(views, np.random.default_rng(0))
    assert descriptor.sha256 == fit_descriptor(views, np.random.default_rng(0)).sha256
    fresh = draw(30, seed=9)
    copies = build_synthetic_copies(fresh, np.random.default_rng(5))
    cosines = descriptor.describe(copies) @ descriptor.describe(fresh).T
    assert (cosines.argmax(axis=1) == np.arange(30)).mean() > 0.6


def test_fitted_weights_keep_their_signs_and_tell_copies_apart() -> None:
    rng = np.random.default_rng(0)
    signs = np.array(list(SIGNS.values()))
    copies = rng.normal(0, 1, (200, len(SIGNS))) + 1.5 * signs
    others = rng.normal(0, 1, (200, 5, len(SIGNS)))
    # Evidence that misleads on these pictures gets no weight rather than a wrong sign.
    copies[:, 0], others[:, :, 0] = -2, 2
    fusion = fit_fusion(copies, others, {"pictures": "drawn"})
    weights = np.array([fusion.weights[name] for name in SIGNS])
    assert weights[0] == 0
    assert (weights * signs >= 0).all()
    assert np.quantile(copies @ weights, 0.05) > np.quantile((others @ weights).max(axis=1), 0.6)
