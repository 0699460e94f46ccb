"""The store of views: built once, rebuilt where damaged, never from a damaged blob."""

from pathlib import Path

import numpy as np
import pytest

from shared.blobs import BlobStore
from shared.errors import CorruptStateError
from shared.vision.image_limits import ImageLimits
from shared.vision.view_store import ViewStore
from shared.vision.views import ViewRecipe
from tests.support.factories import png

LIMITS = ImageLimits(1_000_000, 1_000_000, 8)


RECIPE = ViewRecipe(resolution_px=16, channels=3)


def test_the_store_builds_once_keeps_and_rebuilds_what_is_damaged(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    digests = [blobs.save(png(seed)) for seed in range(4)]
    store = ViewStore(tmp_path / "views", blobs, LIMITS)
    views = np.array(store.load("ab" * 32, digests, RECIPE))
    assert views.shape == (4, 3, 16, 16)
    [path] = (tmp_path / "views").glob("*.npy")
    built = path.stat().st_mtime_ns
    np.testing.assert_array_equal(store.load("ab" * 32, digests, RECIPE), views)
    assert path.stat().st_mtime_ns == built
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(bytes(damaged))
    np.testing.assert_array_equal(store.load("ab" * 32, digests, RECIPE), views)


def test_a_damaged_blob_is_never_compared_with(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    digest = blobs.save(png(1))
    blobs.path(digest).write_bytes(png(2))
    with pytest.raises(CorruptStateError):
        ViewStore(tmp_path / "views", blobs, LIMITS).load("cd" * 32, [digest], RECIPE)


@pytest.mark.parametrize("part", ["header", "first pixel", "middle", "stated digest", "digest gone", "cut short"])
def test_a_corrupted_view_is_found_wherever_it_is(tmp_path: Path, part: str) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    digests = [blobs.save(png(seed)) for seed in range(3)]
    store = ViewStore(tmp_path / "views", blobs, LIMITS)
    views = np.array(store.load("ab" * 32, digests, RECIPE))
    [path], [stated] = (tmp_path / "views").glob("*.npy"), (tmp_path / "views").glob("*.sha256")
    damaged = path if part in {"header", "first pixel", "middle", "cut short"} else stated
    content = bytearray(damaged.read_bytes())
    place = {"header": 20, "first pixel": len(content) - views.size, "middle": len(content) // 2}.get(part, 0)
    content[place] ^= 1
    damaged.write_bytes(bytes(content[:-1] if part == "cut short" else content))
    if part == "digest gone":
        stated.unlink()
    np.testing.assert_array_equal(store.load("ab" * 32, digests, RECIPE), views)
    np.testing.assert_array_equal(np.load(path), views)
    np.testing.assert_array_equal(store.load("ab" * 32, digests, RECIPE), views)


def test_a_corrupted_view_whose_blob_is_damaged_too_is_refused(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    digest = blobs.save(png(1))
    store = ViewStore(tmp_path / "views", blobs, LIMITS)
    store.load("cd" * 32, [digest], RECIPE)
    [path] = (tmp_path / "views").glob("*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    blobs.path(digest).write_bytes(png(2))
    with pytest.raises(CorruptStateError):
        store.load("cd" * 32, [digest], RECIPE)
