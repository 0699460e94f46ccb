"""Features on disk: read back as they were extracted, one item at a time; damage is an error and is mended by a new build."""

import io
from pathlib import Path

import numpy as np
import pytest

from shared.blobs import BlobStore
from shared.errors import CorruptStateError
from shared.matching.whole_picture.feature_store import StoredPictures, load_pictures
from shared.matching.whole_picture.local_features import ComparisonSize, extract_features
from shared.settings import Settings
from shared.vision.image_limits import image_limits
from shared.vision.view_store import ViewStore
from tests.unit.shared.matching.whole_picture.pictures import SIZE, load_photograph

NAMES = ("astronaut", "chelsea", "coffee")


@pytest.fixture
def store(tmp_path: Path) -> ViewStore:
    return ViewStore(tmp_path / "views", BlobStore(tmp_path / "blobs"), image_limits(Settings()))


@pytest.fixture
def blobs(tmp_path: Path) -> list[str]:
    return [save(BlobStore(tmp_path / "blobs"), name) for name in NAMES]


def save(blobs: BlobStore, name: str) -> str:
    data = io.BytesIO()
    load_photograph(name).save(data, "PNG")
    return blobs.save(data.getvalue())


def load(store: ViewStore, blobs: list[str], size: ComparisonSize = SIZE) -> StoredPictures:
    return load_pictures(store, "ab" * 32, blobs, size)


def block(store: ViewStore) -> Path:
    [path] = store.folder.glob("*-features/*.bin")
    return path


def test_stored_features_are_those_that_were_extracted(store: ViewStore, blobs: list[str]) -> None:
    load(store, blobs)
    again = load(store, blobs)
    for row, name in enumerate(NAMES):
        stored, fresh = again.load_features(row), extract_features(load_photograph(name))
        np.testing.assert_array_equal(stored.places, fresh.places)
        np.testing.assert_array_equal(stored.descriptors, fresh.descriptors)
        assert (stored.width, stored.height) == load_photograph(name).size
        np.testing.assert_array_equal(again.load_picture(row), np.asarray(load_photograph(name)))


def test_nothing_is_extracted_twice(store: ViewStore, blobs: list[str]) -> None:
    load(store, blobs)
    written = block(store).stat().st_mtime_ns
    load(store, blobs)
    assert block(store).stat().st_mtime_ns == written


def test_another_comparison_size_has_features_of_its_own(store: ViewStore, blobs: list[str]) -> None:
    small = load(store, blobs, ComparisonSize(256, 128))
    assert small.load_features(0).width == 256
    assert load(store, blobs).load_features(0).width == 512
    assert len([*store.folder.glob("*-features")]) == 2


def test_damaged_features_are_an_error_of_who_reads_them(store: ViewStore, blobs: list[str]) -> None:
    pictures = load(store, blobs)
    data = bytearray(block(store).read_bytes())
    data[-1] ^= 1
    block(store).write_bytes(data)
    assert len(pictures.load_features(0)) > 0
    with pytest.raises(CorruptStateError, match="are damaged; remove the file"):
        pictures.load_features(len(NAMES) - 1)
    block(store).unlink()
    with pytest.raises(CorruptStateError, match="cannot be read"):
        pictures.load_features(0)
    assert len(load(store, blobs).load_features(len(NAMES) - 1)) > 0
