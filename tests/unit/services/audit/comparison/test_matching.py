"""A picture's figures depend neither on the pictures that it is matched with nor on how many cores do it."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from services.audit.comparison.matching import Corpus, Matched, match_against
from shared.matching.copy_detection import CopyDetector
from shared.matching.training_set.duplicates import build_clusters
from shared.matching.training_set.training_set import TrainingSet
from shared.matching.training_set.view_hashes import hash_views
from shared.vision.embedders.pixels import PixelEmbedder
from tests.unit.shared.matching.copy_detection.drawings import draw

EMBEDDER, NEIGHBOURS = PixelEmbedder(16), 30
ITEMS = draw(90)
# Copies with noise, and pictures of their own.
GENERATIONS = np.concatenate(
    [np.clip(ITEMS[:20] + np.random.default_rng(0).normal(0, 9, ITEMS[:20].shape), 0, 255).astype(np.uint8), draw(17, seed=1)]
)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    ids, hashes = [str(at) for at in range(len(ITEMS))], hash_views(ITEMS)
    side = TrainingSet(ITEMS, build_clusters(ids, ITEMS, hashes), hashes)
    vectors = EMBEDDER.embed_prepared([np.asarray(view)[:, ::4, ::4].transpose(1, 2, 0) for view in ITEMS])
    return Corpus(tuple(ids), side, vectors, CopyDetector.build(ITEMS))


def arrays(value: Any, name: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Every array of a record, with where it stands; what belongs to the corpus apart."""
    if isinstance(value, np.ndarray):
        yield name, value
    elif is_dataclass(value) and not isinstance(value, TrainingSet):
        for field in fields(value):
            yield from arrays(getattr(value, field.name), f"{name}.{field.name}")


@pytest.mark.parametrize("size", [1, 5])
def test_figures_do_not_depend_on_the_batch(corpus: Corpus, size: int) -> None:
    whole = dict(arrays(match_against(corpus, GENERATIONS, EMBEDDER, NEIGHBOURS)))
    cuts = range(0, len(GENERATIONS), size)
    parts = [dict(arrays(match_against(corpus, GENERATIONS[at : at + size], EMBEDDER, NEIGHBOURS))) for at in cuts]
    assert len(whole) >= 15
    for name, expected in whole.items():
        assert np.concatenate([part[name] for part in parts]).tobytes() == expected.tobytes(), name


def test_figures_do_not_depend_on_the_cores(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    def on(cores: int) -> Matched:
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
        return match_against(corpus, GENERATIONS, EMBEDDER, NEIGHBOURS)

    expected = dict(arrays(on(1)))
    for cores in (2, 7):
        assert {name: found.tobytes() for name, found in arrays(on(cores))} == {
            name: found.tobytes() for name, found in expected.items()
        }
