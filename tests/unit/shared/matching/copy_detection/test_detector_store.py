"""The kept detector is the one that is built in memory, and comes back when its files are damaged."""

from pathlib import Path

import numpy as np
import pytest

from shared.blobs import BlobStore
from shared.matching.copy_detection import CopyDetector
from shared.matching.copy_detection.copy_embedder import RECIPE
from shared.matching.copy_detection.detector_store import load_copy_detector
from shared.vision.image_limits import ImageLimits
from shared.vision.view_store import ViewStore
from tests.support.factories import png

LIMITS = ImageLimits(max_bytes=1 << 20, max_px=1 << 20, min_side_px=8)
ROOT = "ab" * 32


@pytest.fixture
def store(tmp_path: Path) -> ViewStore:
    return ViewStore(tmp_path / "views", BlobStore(tmp_path / "blobs"), LIMITS)


@pytest.fixture
def digests(tmp_path: Path) -> list[str]:
    return [BlobStore(tmp_path / "blobs").save(png(seed)) for seed in range(5)]


def test_the_kept_detector_is_the_one_built_in_memory(store: ViewStore, digests: list[str]) -> None:
    stored = load_copy_detector(store, ROOT, digests).detector
    views = np.array(store.load(ROOT, digests, RECIPE))
    built = CopyDetector.build(views)
    assert stored.digests == built.digests
    assert np.array_equal(stored.points.rows, built.points.rows)
    detections, expected = stored.detect(views[:, :, ::-1]), built.detect(views[:, :, ::-1])
    assert np.array_equal(detections.items, expected.items)
    assert np.array_equal(detections.scores, expected.scores)


def test_every_damaged_file_is_made_again(store: ViewStore, digests: list[str]) -> None:
    first = load_copy_detector(store, ROOT, digests)
    views = np.array(first.detector.views)
    expected = first.detector.detect(views)
    assert len(first.files) == 4
    for file in first.files:
        content = bytearray(file.path.read_bytes())
        content[-3] ^= 0x55
        file.path.write_bytes(bytes(content))
        again = load_copy_detector(store, ROOT, digests)
        detections = again.detector.detect(np.array(views))
        assert again.detector.digests == first.detector.digests, file.path.name
        assert np.array_equal(detections.scores, expected.scores), file.path.name


def test_points_of_other_items_are_not_taken(store: ViewStore, digests: list[str]) -> None:
    load_copy_detector(store, ROOT, digests)
    [path] = store.folder.glob(f"{ROOT[:32]}-{RECIPE.sha256[:16]}.npy")
    path.unlink()
    other = load_copy_detector(store, ROOT, digests[::-1]).detector
    views = np.array(other.views)
    assert other.detect(views).items.tolist() == [0, 1, 2, 3, 4]
