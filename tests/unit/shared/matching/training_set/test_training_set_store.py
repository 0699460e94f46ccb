"""What is known of a training set comes back from its files, and is made again where one is damaged."""

from pathlib import Path

import numpy as np
import pytest

from shared.array_store import ArrayPlan, StoredArray, load_or_build
from shared.matching.ssim_search.ssim_terms import build_means
from shared.matching.training_set.duplicates import build_clusters
from shared.matching.training_set.training_set import TrainingSet
from shared.matching.training_set.training_set_store import load_bounded_training_set, load_training_set
from shared.matching.training_set.view_hashes import hash_views
from shared.vision.views import ViewRecipe
from tests.unit.shared.matching.blocks import blobs, noisy

VIEWS = np.concatenate([blobs(4, 1), noisy(blobs(1, 1))])
DIGESTS = [str(row) for row in range(5)]
RECIPE, ROOT = ViewRecipe(resolution_px=64, channels=3), "ab" * 32


def verify(training: TrainingSet) -> None:
    hashes = hash_views(VIEWS)
    np.testing.assert_array_equal(training.hashes.packed, hashes.packed)
    np.testing.assert_array_equal(training.hashes.quality, hashes.quality)
    expected = build_clusters(DIGESTS, VIEWS, hashes)
    for name in ("labels", "exact", "near"):
        np.testing.assert_array_equal(getattr(training.clusters, name), getattr(expected, name))
    assert training.clusters.members(0) == [0, 4]


@pytest.fixture
def stored_views(tmp_path: Path) -> StoredArray:
    plan = ArrayPlan(VIEWS.shape, "uint8", lambda start, stop: VIEWS[start:stop])
    return load_or_build(tmp_path / "views.npy", plan)


def test_the_second_load_reads_what_the_first_made(tmp_path: Path, stored_views: StoredArray) -> None:
    verify(load_training_set(tmp_path, ROOT, RECIPE, DIGESTS, stored_views.rows))
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.suffix != ".lock"}
    verify(load_training_set(tmp_path, ROOT, RECIPE, DIGESTS, stored_views.rows))
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.parametrize("ending", ["-hashes.npy", ".clusters"])
def test_a_damaged_file_is_made_again(tmp_path: Path, stored_views: StoredArray, ending: str) -> None:
    load_training_set(tmp_path, ROOT, RECIPE, DIGESTS, stored_views.rows)
    [path] = tmp_path.glob(f"*{ending}")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    verify(load_training_set(tmp_path, ROOT, RECIPE, DIGESTS, stored_views.rows))


def test_the_means_that_bound_scores_are_those_of_the_views(tmp_path: Path, stored_views: StoredArray) -> None:
    reports: list[tuple[int, int]] = []
    stored = load_bounded_training_set(
        tmp_path, ROOT, RECIPE, DIGESTS, stored_views, lambda done, whole: reports.append((done, whole))
    )
    verify(stored.side)
    np.testing.assert_array_equal(stored.means, build_means(VIEWS))
    assert stored_views in stored.files
    assert reports == [(5, 5), (5, 5)]
