"""The blob store: durable, idempotent, and never silent about damage."""

from pathlib import Path

import pytest

from shared.blobs import BlobStore
from shared.errors import CorruptStateError, NotFoundError


def test_what_was_saved_is_loaded_and_saving_again_changes_nothing(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    digest = store.save(b"picture")
    before = store.path(digest).stat().st_mtime_ns
    assert store.save(b"picture") == digest
    assert store.path(digest).stat().st_mtime_ns == before
    assert store.load(digest) == b"picture"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [digest]


def test_many_are_saved_at_once_and_those_there_are_left_alone(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    first = store.save(b"0")
    before = store.path(first).stat().st_mtime_ns
    blobs = [b"0", b"1", b"2", b"1"]
    digests = store.save_many(blobs)
    assert [store.load(digest) for digest in digests] == blobs
    assert store.path(first).stat().st_mtime_ns == before
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 3
    assert store.save_many([]) == []


def test_damage_is_an_error(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    digest = store.save(b"picture")
    store.path(digest).write_bytes(b"pictur3")
    with pytest.raises(CorruptStateError, match="expected SHA-256"):
        store.load(digest)


def test_an_unknown_blob_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        BlobStore(tmp_path).load("0" * 64)
