"""Manifests: sealed once for each key, shown in pages, proved about."""

import pytest
from sqlmodel import Session

from services.ingest.manifests import stored_tree
from services.ingest.manifests.schemas import SealRequest
from services.ingest.manifests.service import page_of_leaves, page_of_manifests, prove_membership, seal_items, show_manifest
from shared.errors import ConflictError, InputError, NotFoundError
from shared.http.paging import PageRequest, encode_cursor
from shared.ledger.manifest_leaves import Leaf
from shared.ledger.verify import verify_receipt
from shared.records.manifests import load_leaves
from shared.workspace import Workspace
from tests.support.factories import png, register

WORKS = SealRequest(name="m", purpose="train", dataset="works")


def test_a_data_set_is_sealed_once(workspace: Workspace) -> None:
    register(workspace, "a.png", png(1))
    answer = seal_items(workspace, WORKS, "k")
    assert answer == seal_items(workspace, WORKS, "k") == seal_items(workspace, WORKS) == show_manifest(workspace, "m")
    assert verify_receipt(answer.receipt, workspace.log.vkey).entry.type == "dataset.sealed"
    with pytest.raises(ConflictError):
        seal_items(workspace, WORKS.model_copy(update={"name": "n"}), "k")


def test_leaves_come_in_pages_in_the_order_of_the_manifest(workspace: Workspace) -> None:
    for number in range(5):
        register(workspace, f"{number}.png", png(number))
    seal_items(workspace, WORKS)
    whole = page_of_leaves(workspace, "m", PageRequest(limit=10))
    assert (len(whole.items), whole.next_cursor) == (5, None)
    leaves, cursor = [], None
    for _ in range(3):
        page = page_of_leaves(workspace, "m", PageRequest(cursor, 2))
        leaves += page.items
        cursor = page.next_cursor
    assert (leaves, cursor) == (whole.items, None)


@pytest.mark.parametrize("position", ["x", "-1", "9" * 10, "\u0661"])
def test_a_foreign_cursor_is_refused(workspace: Workspace, position: str) -> None:
    register(workspace, "a.png", png(1))
    seal_items(workspace, WORKS)
    with pytest.raises(InputError) as caught:
        page_of_leaves(workspace, "m", PageRequest(encode_cursor(position), 2))
    assert caught.value.code == "cursor_invalid"


def test_manifests_are_listed_and_proved_about(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1))
    seal_items(workspace, WORKS)
    assert [manifest.name for manifest in page_of_manifests(workspace, PageRequest()).items] == ["m"]
    assert prove_membership(workspace, "m", item.blob_sha256) != prove_membership(workspace, "m", "0" * 64)
    with pytest.raises(NotFoundError):
        prove_membership(workspace, "n", item.blob_sha256)


def test_a_proof_reads_a_few_hashes_and_two_leaves(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [register(workspace, f"{number}.png", png(number)) for number in range(9)]
    seal_items(workspace, WORKS)
    loaded: list[int | None] = []

    def count(session: Session, manifest_id: str, start: int = 0, limit: int | None = None) -> list[Leaf]:
        loaded.append(limit)
        return load_leaves(session, manifest_id, start, limit)

    monkeypatch.setattr(stored_tree, "load_leaves", count)
    for sha256 in ("0" * 64, "8" * 64, "f" * 64, *(item.blob_sha256 for item in items)):
        loaded.clear()
        proof = prove_membership(workspace, "m", sha256)
        assert proof.member == (sha256 in {item.blob_sha256 for item in items})
        assert loaded == [1] * len(proof.leaves)


@pytest.mark.parametrize("damage", [b"", b"short", bytes(32 * 40)])
def test_a_tree_that_is_missing_or_damaged_is_written_again(workspace: Workspace, damage: bytes) -> None:
    items = [register(workspace, f"{number}.png", png(number)) for number in range(5)]
    manifest = seal_items(workspace, WORKS)
    [file] = (workspace.home / "manifests").iterdir()
    whole = file.read_bytes()
    for change in (file.unlink, lambda: file.write_bytes(damage)):
        change()
        for item in items:
            proof = prove_membership(workspace, "m", item.blob_sha256)
            assert (proof.member, proof.root) == (True, manifest.root)
        assert file.read_bytes() == whole
