"""Without keys only this machine's own requests are answered: no rebound name, no other page's post."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.errors import InputError
from shared.settings import load_settings
from shared.workspace import Workspace

MALFORMED = (
    "127.0.0.1:80@evil.example",
    "127.0.0.1@evil.example",
    "user@127.0.0.1",
    "127.0.0.1:http",
    "127.0.0.1:99999",
    "[::1",
    "[::1]x",
    "[::1]:80:80",
    "[v1.a]",
    "127.0.0.1/",
    "127.0.0.1 ",
    "127.0.0.1, evil.example",
    "localhost#",
)


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    gate = open_gate(workspace)
    yield TestClient(create_app(workspace, gate), base_url="http://127.0.0.1:8460")
    gate.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8460", "localhost:8460", "LOCALHOST", "[::1]:8460"])
def test_loopback_is_answered_by_each_of_its_names(client: TestClient, host: str) -> None:
    assert client.get("/v1/items", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["rebound.example.org", "rebound.example.org:8460", "127.0.0.1.example.org", "192.0.2.1", "", *MALFORMED]
)
def test_a_name_that_was_pointed_here_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/v1/items", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "host_not_loopback")


@pytest.mark.parametrize("origin", ["https://example.org", "http://localhost:3000", "http://127.0.0.1", "null"])
def test_another_pages_post_is_refused(client: TestClient, origin: str) -> None:
    for path in ("/v1/jobs/x/cancel", "/v1/items"):
        answer = client.post(path, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_foreign")
    assert client.delete("/v1/webhooks/x", headers={"Origin": origin}).status_code == 403


def test_the_servers_own_pages_may_post_and_anyone_may_read(client: TestClient) -> None:
    own_origin = {"Origin": "http://127.0.0.1:8460"}
    assert client.post("/v1/jobs/x/cancel", headers=own_origin).json()["code"] == "job_not_found"
    assert client.get("/healthz", headers={"Origin": "https://example.org"}).status_code == 200


def test_the_description_speaks_of_no_keys(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert "securitySchemes" not in described["components"]
    assert "security" not in described["paths"]["/v1/items"]["post"]


def test_beyond_loopback_keys_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLEEVE_HOST", "0.0.0.0")
    with pytest.raises(InputError, match="SLEEVE_HOST: expected a loopback address without SLEEVE_AUTHENTICATION=keys"):
        load_settings()
    monkeypatch.setenv("SLEEVE_AUTHENTICATION", "keys")
    assert load_settings().host == "0.0.0.0"
