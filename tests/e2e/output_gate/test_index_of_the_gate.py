"""The gate's index: a server that is down makes checks undecided, and an index that was dropped comes back the same."""

import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from services.audit.training_sets.sealed_set import load_sealed_set
from services.commands.main import app as command
from services.output_gate.checks import batches
from services.output_gate.checks.batches import CHECK_JOBS, queue_checks
from services.output_gate.checks.service import check_generation
from services.output_gate.checks.submission import SubmittedImage
from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.canonical import sha256_hex
from shared.errors import UnavailableError
from shared.index.vector_index import Neighbour
from shared.jobs.worker import JobWorker
from shared.ledger.verify import verify_log
from shared.records.batches import load_batch
from shared.records.jobs import load_job
from shared.settings import Settings
from shared.vision.image_decoding import decode_image
from shared.workspace import Workspace, open_workspace
from tests.e2e.conftest import ITEMS, SLICE
from tests.support.factories import png
from tests.support.gate_client import post_checks
from tests.support.live_server import serve
from tests.support.qdrant_server import qdrant_server, wait_until


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


def test_a_server_that_hangs_stops_neither_checks_nor_health(audited_workspace: Workspace) -> None:
    timeout, at_once = 3, 60
    with qdrant_server() as qdrant:
        home, url = audited_workspace.home, audited_workspace.settings.database_url
        settings = Settings(home=home, database_url=url, qdrant_url=qdrant.url, qdrant_timeout_seconds=timeout)
        workspace = open_workspace(settings)
        app = create_app(workspace, open_gate(workspace))
        copied = workspace.blobs.load(load_sealed_set(workspace, "small").items[0].blob_sha256)
        with (
            serve(app) as server,
            httpx.Client(base_url=server, timeout=60, limits=httpx.Limits(max_connections=100)) as client,
        ):
            assert post_checks(client, [copied]).json()["decision"] == "flag"
            qdrant.hang()
            started = time.monotonic()
            with ThreadPoolExecutor(at_once) as pool:
                answers = [pool.submit(post_checks, client, [copied]) for _ in range(at_once)]
                time.sleep(0.5)
                asked = time.monotonic()
                assert client.get("/healthz").status_code == 200
                assert time.monotonic() - asked < 1
                checks = [answer.result().json() for answer in answers]
            # Every check is recorded as well, which takes most of the time.
            assert time.monotonic() - started < timeout + 20
            assert Counter((check["decision"], check["reason"]) for check in checks) == {("undecided", "index_down"): at_once}
            assert client.get("/readyz").status_code == 503
            asked = time.monotonic()
            assert post_checks(client, [copied]).json()["reason"] == "index_down"
            assert time.monotonic() - asked < timeout
            qdrant.go_on()
            wait_until(lambda: post_checks(client, [copied]).json()["decision"] == "flag")
        workspace.engine.dispose()


def test_a_damaged_index_is_rebuilt_by_the_command_that_its_error_names(
    audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLEEVE_HOME", str(audited_workspace.home))
    if audited_workspace.settings.database_url:
        monkeypatch.setenv("SLEEVE_DATABASE_URL", audited_workspace.settings.database_url)
    gate = open_gate(audited_workspace)
    copied = audited_workspace.blobs.load(load_sealed_set(audited_workspace, "small").items[0].blob_sha256)
    first = check_generation(gate, "model-a", copied)
    gate.close()
    for path in (audited_workspace.home / "index").rglob("segment.json"):
        path.write_text("damaged", encoding="ascii")
    with pytest.raises(UnavailableError, match="sleeve gate index rebuild"):
        open_gate(audited_workspace)
    rebuilt = CliRunner().invoke(command, ["gate", "index", "rebuild"])
    assert rebuilt.exit_code == 0, rebuilt.output
    assert "0 items could not be embedded" in rebuilt.output
    gate = open_gate(audited_workspace)
    assert check_generation(gate, "model-a", copied).result["match"] == first.result["match"]
    gate.close()


def test_bytes_that_a_job_misses_are_waited_for(audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "RETRY", timedelta(seconds=0.2))
    gate = open_gate(audited_workspace)
    lost, present = png(12_345), png(12_346)
    images = [SubmittedImage(None, data) for data in (lost, present)]
    job = queue_checks(audited_workspace, "model-a", images, None)
    path = audited_workspace.blobs.path(sha256_hex(lost))
    for damaged in (None, b"damaged"):
        path.write_bytes(damaged) if damaged else path.unlink()
        JobWorker(audited_workspace, CHECK_JOBS, gate).run_next()
        with audited_workspace.reading() as session:
            waiting = load_job(session, job.id)
            outcomes = [(place.problem, place.check_id is not None) for place in load_batch(session, job.id)]
        assert (waiting.state, outcomes) == ("queued", [(None, False), (None, True)])
        time.sleep(0.3)
    path.write_bytes(lost)
    JobWorker(audited_workspace, CHECK_JOBS, gate).run_next()
    with audited_workspace.reading() as session:
        assert load_job(session, job.id).state == "done"
        assert all(place.check_id for place in load_batch(session, job.id))
    gate.close()
