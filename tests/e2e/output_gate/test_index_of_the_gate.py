"""The gate's index: a server that is down makes checks undecided, and an index that was dropped comes back the same."""

import socket
from pathlib import Path

import pytest

from services.audit.training_sets.sealed_set import load_sealed_set
from services.output_gate.checks.service import check_generation
from services.output_gate.opening import open_gate
from shared.errors import UnavailableError
from shared.index.vector_index import Neighbour
from shared.ledger.verify import verify_log
from shared.settings import Settings
from shared.vision.image_decoding import decode_image
from shared.workspace import Workspace, open_workspace
from tests.e2e.conftest import ITEMS, SLICE


def test_a_server_that_is_down_makes_checks_undecided_and_recorded(audited_workspace: Workspace) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = int(probe.getsockname()[1])
    settings = Settings(home=audited_workspace.home, database_url=None, qdrant_url=f"http://127.0.0.1:{closed}")
    workspace = open_workspace(settings)
    copied = load_sealed_set(workspace, "small").items[0].blob_sha256
    gate = open_gate(workspace)
    try:
        check = check_generation(gate, "model-a", workspace.blobs.load(copied))
    finally:
        gate.close()
    assert (check.decision, check.result["reason"]) == ("undecided", "index_down")
    assert check.result["index"]["engine"] == "qdrant-server"
    workspace.log.integrate()
    verify_log(workspace.log.folder, workspace.log.vkey)
    workspace.engine.dispose()


def test_an_index_that_was_dropped_is_rebuilt_from_the_log_the_same(audited_workspace: Workspace) -> None:
    gate = open_gate(audited_workspace)
    sealed = load_sealed_set(audited_workspace, "small")
    originals = [
        decode_image(audited_workspace.blobs.load(digest), audited_workspace.limits).pixels for digest in sealed.blobs
    ]
    vectors = gate.embedder.embed(originals)

    def neighbours() -> list[list[Neighbour]]:
        return gate.index.neighbours_many(vectors, 1000, sealed.manifest.id, exact=True)

    try:
        size = gate.indexer.catch_up()
        before = neighbours()
        assert [row[0].item_id for row in before] == [item.id for item in sealed.items]
        assert [len(row) for row in before] == [SLICE] * SLICE
        assert ITEMS > SLICE
        assert gate.indexer.rebuild() == size == gate.index.cursor
        assert neighbours() == before
    finally:
        gate.close()


def test_a_shard_that_was_deleted_is_filled_again(audited_workspace: Workspace, tmp_path: Path) -> None:
    gate = open_gate(audited_workspace)
    copied = audited_workspace.blobs.load(load_sealed_set(audited_workspace, "small").items[0].blob_sha256)
    first = check_generation(gate, "model-a", copied)
    gate.close()
    (audited_workspace.home / "index").rename(tmp_path / "gone")
    gate = open_gate(audited_workspace)
    try:
        again = check_generation(gate, "model-a", copied)
    finally:
        gate.close()
    assert (again.decision, again.result["match"]) == (first.decision, first.result["match"])
    assert first.decision == "flag"
    assert first.result["index"]["exact"] is True


def test_a_gate_whose_index_stops_in_the_middle_is_undecided(audited_workspace: Workspace) -> None:
    gate = open_gate(audited_workspace)
    copied = audited_workspace.blobs.load(load_sealed_set(audited_workspace, "small").items[0].blob_sha256)
    assert check_generation(gate, "model-a", copied).decision == "flag"
    gate.close()
    with pytest.raises(UnavailableError):
        gate.index.count("m")
    check = check_generation(gate, "model-a", copied)
    assert (check.decision, check.result["reason"]) == ("undecided", "index_failed")
