"""Quotas over REST: who asks too often waits, everyone else is served."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.auth.quotas import BURST_SECONDS
from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.support.keys import bearer, make_key


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    changed = {"authentication": "keys", "key_requests_per_second": 1, "address_requests_per_second": 1}
    object.__setattr__(workspace, "settings", workspace.settings.model_copy(update=changed))
    register(workspace, "a.png", png(1))
    gate = open_gate(workspace)
    yield TestClient(create_app(workspace, gate), base_url="http://sleeve.example.org")
    gate.close()


@pytest.mark.parametrize(
    "path", ["/checkpoint", "/tile/0/000.p/1", f"/v1/manifests/m/proofs/{'0' * 64}", "/nowhere", "/v1/items"]
)
def test_an_address_without_a_key_waits_and_a_key_does_not(client: TestClient, workspace: Workspace, path: str) -> None:
    key = make_key(workspace, "items:read")
    answers = [client.get(path) for _ in range(BURST_SECONDS + 10)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert 429 not in {answer.status_code for answer in answers[:BURST_SECONDS]}
    assert {answer.json()["code"] for answer in refused} == {"too_many_requests"}
    assert {answer.headers["content-type"] for answer in refused} == {"application/problem+json"}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert client.get("/v1/items", headers=bearer(key)).status_code == 200


def test_a_key_waits_and_another_one_does_not(client: TestClient, workspace: Workspace) -> None:
    busy, other = make_key(workspace, "items:read"), make_key(workspace, "items:read")
    statuses = [client.get("/v1/items", headers=bearer(busy)).status_code for _ in range(BURST_SECONDS + 10)]
    assert 429 not in statuses[:BURST_SECONDS]
    assert 429 in statuses
    assert client.get("/v1/items", headers=bearer(other)).status_code == 200
