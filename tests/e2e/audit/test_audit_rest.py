"""Models and audits over REST: trained and audited as jobs in processes of their own, listed, shown, cancelled."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.canonical import sha256_hex
from shared.ledger.verify import verify_log
from shared.workspace import Workspace
from tests.e2e.conftest import CONFIG, GENERATIONS, STEPS, Audited, save_noisy_copies
from tests.support.ingest_client import entries_after, ingest_client

# A process of a job brings torch and diffusers first, which takes a while on a machine that is busy.
WAIT_SECONDS = 600.0
TRAINING: dict[str, Any] = {"name": "model-b", "manifest": "small", "config": CONFIG.model_dump(mode="json")}
AUDIT = {"model": "model-a", "control": "small-control", "generations": GENERATIONS, "steps": STEPS}


@pytest.fixture
def client(audited_workspace: Workspace) -> Iterator[TestClient]:
    with ingest_client(audited_workspace) as opened:
        yield opened


def wait_until(client: TestClient, location: str, *, states: set[str], done: int = 0) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        job: dict[str, Any] = client.get(location).json()
        if job["state"] in states and job["done"] >= done:
            return job
        assert job["state"] not in {"failed", "done"}, job
        assert time.monotonic() < deadline, job
        time.sleep(0.05)


# Two processes that bring torch: seconds on a free machine, minutes on one where everything else runs as well.
@pytest.mark.timeout(900)
def test_a_model_is_trained_and_audited_as_jobs(client: TestClient, audited_workspace: Workspace, audited: Audited) -> None:
    size = audited_workspace.log.integrate().size
    trained = client.post("/v1/models", json=TRAINING, headers={"Idempotency-Key": "t"})
    assert trained.status_code == 202
    again = client.post("/v1/models", json=TRAINING, headers={"Idempotency-Key": "t"})
    assert again.headers["Location"] == trained.headers["Location"] == f"/v1/jobs/{trained.json()['id']}"
    same = client.post("/v1/audits", json=AUDIT | {"model": "model-a"})
    job = wait_until(client, trained.headers["Location"], states={"done"})
    updates = CONFIG.max_train_steps
    assert (job["done"], job["total"], job["counts"]) == (updates, updates, {"updates": updates})
    model = client.get("/v1/models/model-b").json()
    assert job["result"] == {"model": model["id"]}
    # The same manifest, configuration and seed are the same weights, whichever process trained them.
    assert model["weights_sha256"] == audited.content["model"]["weights_sha256"]
    assert [one["name"] for one in client.get("/v1/models").json()["items"]] == ["model-b", "model-a"]
    page = client.get("/v1/models", params={"limit": 1}).json()
    assert client.get("/v1/models", params={"cursor": page["next_cursor"]}).json()["items"][0]["name"] == "model-a"

    audit_job = wait_until(client, same.headers["Location"], states={"done"})
    assert (audit_job["done"], audit_job["counts"]) == (GENERATIONS + 1, {"generations": GENERATIONS})
    # What this very audit found is on record already: it is named, and nothing is logged again.
    [recorded] = client.get("/v1/models/model-a").json()["audits"]
    assert audit_job["result"]["audit"] == recorded
    assert [entry.type for entry in entries_after(audited_workspace, size)] == ["model.trained"]
    jobs = client.get("/v1/jobs", params={"state": "done"}).json()["items"]
    assert [one["kind"] for one in jobs] == ["model.audit", "model.training"]
    verify_log(audited_workspace.log.folder, audited_workspace.log.vkey)


def test_an_audits_file_and_report_are_served(client: TestClient, audited_workspace: Workspace, audited: Audited) -> None:
    [listed] = client.get("/v1/audits", params={"model": "model-a"}).json()["items"]
    assert (listed["model"], listed["control"], listed["state"]) == ("model-a", "small-control", audited.content["state"])
    exact = client.get(f"/v1/audits/{listed['id']}/audit.json")
    assert sha256_hex(exact.content) == listed["report_sha256"]
    assert json.loads(exact.content) == audited.content == client.get(f"/v1/audits/{listed['id']}").json()
    report = client.get(f"/v1/audits/{listed['id']}/report")
    assert report.headers["content-type"] == "text/html; charset=utf-8"
    policy = report.headers["content-security-policy"]
    assert {"default-src 'none'", "frame-ancestors 'none'", "sandbox allow-downloads"} <= set(policy.split("; "))
    assert (report.headers["x-content-type-options"], report.headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert listed["report_sha256"] in report.text
    assert f"{audited.content['copies']['hits']} of {audited.content['copies']['trials']}" in report.text
    assert 'src="http' not in report.text
    assert client.get("/v1/audits", params={"model": "none"}).json()["code"] == "model_not_found"
    for path in ("none", "none/report", "none/audit.json"):
        assert client.get(f"/v1/audits/{path}").json()["code"] == "audit_not_found"
    [shard] = (audited_workspace.home / "samples" / "model-a").glob("*/shard-00000.npz")
    shard.write_bytes(shard.read_bytes()[:-1])
    damaged = client.get(f"/v1/audits/{listed['id']}/report")
    assert (damaged.status_code, damaged.json()["code"]) == (500, "shard_damaged")
    for file in shard.parent.iterdir():
        file.unlink()
    assert client.get(f"/v1/audits/{listed['id']}/report").json()["code"] == "samples_not_found"


def test_a_report_over_rest_is_of_the_audited_generations_only(
    client: TestClient, audited_workspace: Workspace, audited: Audited
) -> None:
    drawn = audited.content["sampling"]
    folder = audited_workspace.home / "samples" / "model-a" / f"ddim-{drawn['steps']}-seed-0-count-{drawn['count']}"
    other = save_noisy_copies(audited_workspace, audited_workspace.home / "other")
    for path in other.iterdir():
        path.replace(folder / path.name)
    [audit] = client.get("/v1/models/model-a").json()["audits"]
    assert client.get(f"/v1/audits/{audit}/report").json()["code"] == "samples_not_found"


@pytest.mark.timeout(900)
def test_audit_jobs_are_cancelled_waiting_or_running(client: TestClient) -> None:
    # Far more than is drawn in the time of this test.
    running = client.post("/v1/audits", json=AUDIT | {"generations": 1_000_000, "steps": 20}).headers["Location"]
    waiting = client.post("/v1/audits", json=AUDIT | {"seed": 5}).headers["Location"]
    wait_until(client, running, states={"running"}, done=1)
    for location in (waiting, running):
        answer = client.post(f"{location}/cancel")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
        assert answer.json()["finished_at"] is not None
        assert client.post(f"{location}/cancel").json() == answer.json()
    # The worker is free again: a job that fails at once says so.
    broken = client.post("/v1/audits", json=AUDIT | {"steps": 10_000}).headers["Location"]
    deadline = time.monotonic() + WAIT_SECONDS
    while (job := client.get(broken).json())["state"] in {"queued", "running"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (job["state"], job["error"]["code"]) == ("failed", "sampling_steps")
    assert client.post(f"{broken}/cancel").json()["code"] == "job_finished"
    assert client.get(waiting).json()["done"] == 0
    cancelled = client.get("/v1/jobs", params={"state": "cancelled", "kind": "model.audit"}).json()["items"]
    assert [f"/v1/jobs/{one['id']}" for one in cancelled] == [waiting, running]
    assert client.post("/v1/jobs/none/cancel").json()["code"] == "job_not_found"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/models", TRAINING | {"manifest": "none"}, 404, "manifest_not_found"),
        ("/v1/models", TRAINING | {"manifest": "small-control"}, 422, "manifest_purpose"),
        ("/v1/models", TRAINING | {"name": "model-a", "config": TRAINING["config"] | {"seed": 9}}, 409, "model_exists"),
        ("/v1/models", TRAINING | {"name": "../x"}, 422, "invalid_request"),
        ("/v1/models", TRAINING | {"config": {"resolution": 16, "max_train_steps": 10**9}}, 422, "invalid_request"),
        ("/v1/models", TRAINING | {"config": {"resolution": 17, "max_train_steps": 1}}, 422, "resolution_not_divisible"),
        ("/v1/models", TRAINING | {"config": {"resolution": 16}}, 422, "invalid_request"),
        ("/v1/audits", AUDIT | {"model": "none"}, 404, "model_not_found"),
        ("/v1/audits", AUDIT | {"control": "none"}, 404, "manifest_not_found"),
        ("/v1/audits", AUDIT | {"control": "small"}, 422, "control_overlaps"),
        ("/v1/audits", AUDIT | {"rate": 0}, 422, "invalid_request"),
        ("/v1/audits", AUDIT | {"generations": 0}, 422, "invalid_request"),
        ("/v1/audits", AUDIT | {"seed": 2**53}, 422, "invalid_request"),
        ("/v1/audits", AUDIT | {"colour": "red"}, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_done_is_refused_and_queues_nothing(
    client: TestClient, path: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get("/v1/jobs").json()["items"] == []


def test_a_key_stands_for_one_audit(client: TestClient) -> None:
    key = {"Idempotency-Key": "a"}
    first = client.post("/v1/audits", json=AUDIT | {"seed": 1}, headers=key)
    client.post(f"{first.headers['Location']}/cancel")
    assert client.post("/v1/audits", json=AUDIT | {"seed": 1}, headers=key).json()["state"] == "cancelled"
    other = client.post("/v1/audits", json=AUDIT | {"seed": 2}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
