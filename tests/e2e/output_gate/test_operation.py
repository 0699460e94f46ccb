"""Readiness, metrics and the indexer in the background: what an operator sees while things work, and while they do not."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from services.audit.training_sets.sealed_set import load_sealed_set
from services.output_gate import background_indexer as tailing
from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.support.gate_client import post_checks, training_original

WAIT_SECONDS = 20.0


@pytest.fixture
def client(audited_workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(audited_workspace, open_gate(audited_workspace)), base_url="http://127.0.0.1") as opened:
        yield opened


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def reasons(client: TestClient) -> dict[str, str]:
    answer = client.get("/readyz")
    body = answer.json()
    found = {one["name"]: one["reason"] for one in body["dependencies"] if not one["ready"]}
    assert answer.status_code == (503 if found else 200)
    assert body["ready"] is (not found)
    if found:
        assert answer.headers["content-type"] == "application/problem+json"
        assert all(f"{name}: {reason}" in body["detail"] for name, reason in found.items())
    return found


def metrics(client: TestClient) -> dict[tuple[str, str], float]:
    """Samples by name and labels, as JSON."""
    text = client.get("/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, json.dumps(sample.labels, sort_keys=True)): sample.value for sample in samples}


def label(**labels: str) -> str:
    return json.dumps(labels, sort_keys=True)


def test_a_server_is_ready_once_its_index_is_up_with_the_log(client: TestClient, audited_workspace: Workspace) -> None:
    def look() -> dict[str, Any]:
        return {one["name"]: one["detail"] for one in client.get("/readyz").json()["dependencies"]}

    wait_until(lambda: look()["index"]["behind_entries"] == 0)
    assert reasons(client) == {}
    dependencies = look()
    assert list(dependencies) == ["database", "log", "index", "embedder", "blobs", "policy"]
    assert dependencies["log"]["size"] == audited_workspace.log.size


def test_what_is_registered_and_restored_reaches_the_index_without_a_check(
    audited_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailing, "RETRY_SECONDS", 0.2)
    gate = open_gate(audited_workspace)
    victim = load_sealed_set(audited_workspace, "small").items[1]
    path: Path = audited_workspace.blobs.path(victim.blob_sha256)
    whole = path.read_bytes()
    path.write_bytes(b"damaged")
    with TestClient(create_app(audited_workspace, gate), base_url="http://127.0.0.1") as client:
        wait_until(lambda: gate.indexer.measure().behind_entries == 0)
        # Damaged bytes of one item: its manifest's models are undecided, and readiness says why; the rest goes on.
        assert reasons(client) == {"index": "index_gaps"}
        [index] = [one for one in client.get("/readyz").json()["dependencies"] if one["name"] == "index"]
        assert (index["detail"]["gaps"], index["detail"]["models_with_gaps"]) == (1, ["model-a"])
        assert metrics(client)["sleeve_index_gaps", "{}"] == 1
        assert post_checks(client, [training_original(audited_workspace)]).json()["reason"] == "blob_damaged"
        register(audited_workspace, "late.png", png(4000), dataset="other")
        wait_until(lambda: gate.indexer.measure().behind_entries == 0)
        path.write_bytes(whole)
        wait_until(lambda: not reasons(client))
        assert post_checks(client, [training_original(audited_workspace)]).json()["decision"] == "flag"


def test_metrics_count_from_log_and_database_and_name_nobody(client: TestClient, audited_workspace: Workspace) -> None:
    flagged = post_checks(client, [training_original(audited_workspace)]).json()
    post_checks(client, [png(12_345), png(12_346), b"words"], Prefer="respond-async")
    wait_until(lambda: client.get("/v1/checks").json()["items"][0]["decision"] == "clear")
    found = metrics(client)
    assert found["sleeve_checks_total", label(decision="flag", reason="above_control_threshold")] == 1
    assert found["sleeve_flags", label(state="raised")] == 1
    assert found["sleeve_flags_open", "{}"] == 1
    assert found["sleeve_log_entries", "{}"] == audited_workspace.log.size
    assert found["sleeve_completeness_gaps_all", "{}"] == 0
    assert found["sleeve_check_step_seconds_count", label(step="search")] >= 1
    assert ("sleeve_jobs", label(kind="checks", state="done")) in found
    assert {value for (name, _), value in found.items() if name == "sleeve_scrape_failed"} == {0}
    text = client.get("/metrics").text
    for owner in flagged["match"]["owners"]:
        assert owner["name"] not in text
    assert flagged["id"] not in text
