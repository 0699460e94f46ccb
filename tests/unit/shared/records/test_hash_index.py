"""The index in memory: it holds what the database holds, after every kind of change, and what it handed out stays."""

import numpy as np
import pytest
from PIL import Image

from services.ingest.search.fingerprint_backlog import catch_up, forget
from shared.records import hash_index as module
from shared.records.fingerprints import FINGERPRINTS
from shared.records.hash_index import HashIndex, KnownHashes
from shared.vision.perceptual_hash import pack_hashes
from shared.workspace import Workspace
from tests.support.factories import encode, png, register
from tests.unit.services.ingest.search.copies import fingerprint_rows, register_many


def refresh(index: HashIndex, workspace: Workspace) -> KnownHashes:
    with workspace.reading() as session:
        return index.refresh(session)


def assert_same(index: HashIndex, workspace: Workspace) -> KnownHashes:
    """The index holds each defined hash of the tables under the id of its row."""
    hashes = refresh(index, workspace)
    rows = fingerprint_rows(workspace)
    with workspace.reading() as session:
        blobs = FINGERPRINTS.load_digests(session, hashes.ids.tolist())
    expected = {row[0]: row[3] for row in rows if row[3] is not None and row[4] >= 50}
    assert {blobs[row_id]: hashes.hashes[at].tobytes() for at, row_id in enumerate(hashes.ids.tolist())} == expected
    assert hashes.fingerprints == len(rows)
    return hashes


def test_the_index_follows_the_tables(any_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_CAPACITY", 2)
    monkeypatch.setattr(module, "READ_ROWS", 2)
    index = HashIndex()
    assert_same(index, any_workspace)
    register_many(any_workspace, {f"{number}.png": png(number) for number in range(5)})
    catch_up(any_workspace)
    first = assert_same(index, any_workspace)
    copied = first.hashes.copy()
    register_many(any_workspace, {f"{number}.png": png(number) for number in range(5, 8)})
    catch_up(any_workspace)
    assert len(assert_same(index, any_workspace).ids) == 8
    np.testing.assert_array_equal(first.hashes, copied)
    forget(any_workspace, only_failed=False)
    assert len(assert_same(index, any_workspace).ids) == 0
    catch_up(any_workspace)
    assert len(assert_same(index, any_workspace).ids) == 8


def test_what_cannot_be_compared_is_counted(workspace: Workspace) -> None:
    register(workspace, "flat.png", encode(Image.new("RGB", (30, 30), "red")))
    gone = register(workspace, "gone.png", png(1))
    register(workspace, "good.png", png(2))
    data = workspace.blobs.path(gone.blob_sha256).read_bytes()
    workspace.blobs.path(gone.blob_sha256).unlink()
    catch_up(workspace)
    index = HashIndex()
    hashes = assert_same(index, workspace)
    assert (len(hashes.ids), hashes.undefined, hashes.failed) == (1, 1, 1)
    workspace.blobs.path(gone.blob_sha256).write_bytes(data)
    forget(workspace, only_failed=True)
    catch_up(workspace)
    again = assert_same(index, workspace)
    assert (len(again.ids), again.undefined, again.failed) == (2, 1, 0)


def test_packed_hashes_are_read_column_by_column() -> None:
    # A scan reads one column after the other; in rows it takes four times as long.
    assert pack_hashes([bytes(32)] * 5).flags.f_contiguous
    assert module._allocate(5).hashes.flags.f_contiguous
