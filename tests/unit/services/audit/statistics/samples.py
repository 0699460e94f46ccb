"""Samples of features for tests of statistics: a training set, held-out pictures, fresh generations and copies."""

import numpy as np

RANDOM = np.random.default_rng(7)
TRAINING, HELD_OUT = RANDOM.normal(size=(60, 5)), RANDOM.normal(size=(50, 5))
FRESH = RANDOM.normal(size=(80, 5))
COPIES = TRAINING[RANDOM.integers(0, 60, 80)] + RANDOM.normal(scale=0.01, size=(80, 5))
