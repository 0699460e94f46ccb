"""A study over REST: run as a job in a process of its own, listed, shown, its report read."""

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from services.audit.studies.study_config import load_study_config
from shared.canonical import sha256_hex
from shared.ledger.verify import verify_log
from shared.workspace import Workspace
from tests.e2e.audit.test_audit_rest import wait_until
from tests.support.ingest_client import ingest_client

STUDY = load_study_config("smoke").model_dump(mode="json") | {"sizes": [2, 4], "name": "asked"}


@pytest.fixture
def client(audited_workspace: Workspace) -> Iterator[TestClient]:
    with ingest_client(audited_workspace) as opened:
        yield opened


# A process that brings torch, and two more that it starts: seconds on a free machine, minutes on a busy one.
@pytest.mark.timeout(900)
def test_a_study_is_run_as_a_job(client: TestClient, audited_workspace: Workspace) -> None:
    queued = client.post("/v1/studies", json=STUDY, headers={"Idempotency-Key": "s"})
    assert queued.status_code == 202
    assert client.post("/v1/studies", json=STUDY, headers={"Idempotency-Key": "s"}).json()["id"] == queued.json()["id"]
    job = wait_until(client, queued.headers["Location"], states={"done"})
    assert (job["done"], job["total"], job["counts"]) == (12, 12, {"training": 4, "sampling": 4, "audit": 4})
    [listed] = client.get("/v1/studies").json()["items"]
    assert (listed["id"], listed["name"]) == (job["result"]["study"], "asked")
    exact = client.get(f"/v1/studies/{listed['id']}/study.json")
    assert sha256_hex(exact.content) == listed["report_sha256"]
    assert json.loads(exact.content) == client.get(f"/v1/studies/{listed['id']}").json()
    report = client.get(f"/v1/studies/{listed['id']}/report")
    assert report.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in report.headers["content-security-policy"]
    assert listed["report_sha256"] in report.text
    verify_log(audited_workspace.log.folder, audited_workspace.log.vkey)


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"dataset": "nowhere"}, 404, "dataset_not_found"),
        ({"sizes": [4, 2]}, 422, "study_sizes"),
        ({"generations": 0}, 422, "invalid_request"),
        ({"training": STUDY["training"] | {"resolution": 9}}, 422, "resolution_not_divisible"),
    ],
)
def test_what_cannot_be_run_is_refused(client: TestClient, changed: dict[str, object], status: int, code: str) -> None:
    answer = client.post("/v1/studies", json=STUDY | changed)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get("/v1/jobs").json()["items"] == []


def test_an_unknown_study_is_not_found(client: TestClient) -> None:
    for path in ("", "/study.json", "/report"):
        answer = client.get(f"/v1/studies/nowhere{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "study_not_found")
