"""Attacks: which generations are compared, and how the attack is named."""

import numpy as np

from services.audit.audits.attacks import all_generations, extracted_generations
from services.audit.sampling.sample_shards import Samples

RANDOM = np.random.default_rng(1)


def build_samples() -> Samples:
    """Twelve generations of one picture, then five strangers."""
    images = RANDOM.integers(0, 256, (17, 1, 8, 8), dtype=np.uint8)
    images[:12] = images[0]
    return Samples(images, np.arange(17, dtype=np.int64), {"weights_sha256": "00"}, "ff")


def test_ordinary_sampling_compares_every_generation() -> None:
    attack = all_generations(build_samples())
    assert (attack.kind, attack.unit, attack.details) == ("regurgitation", "generations", {})
    assert attack.positions.tolist() == list(range(17))
    assert np.array_equal(attack.images, attack.samples.images)


def test_extraction_compares_one_of_what_many_seeds_share() -> None:
    attack = extracted_generations(build_samples(), 10, 0.15)
    assert (attack.kind, attack.unit) == ("extraction", "extracted pictures")
    assert attack.positions.tolist() == [0]
    assert attack.details["cliques"] == [{"generations": 12, "representative": 0}]
    assert (attack.details["drawn"], attack.details["in_cliques"]) == (17, 12)
    assert "of 17 seeds" in attack.text
