"""Every request has an id in its answer, in its problem and in one event; and the log's entries say which key made them."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs
from typer.testing import CliRunner

from services.commands.main import app
from services.output_gate.opening import open_gate
from shared.ledger.entries import parse_entry
from shared.ledger.openings import FieldOpening, verify_opening
from shared.ledger.verify import verify_receipt
from shared.workspace import Workspace
from tests.support.factories import png, registration
from tests.support.keys import bearer, keyed_client, make_key

NOWHERE = "/v1/items/0198c0de-0000-7000-8000-000000000000"


@pytest.fixture
def client(any_workspace: Workspace) -> Iterator[TestClient]:
    with keyed_client(any_workspace, open_gate(any_workspace)) as opened:
        yield opened


def requests(events: list[Any]) -> list[dict[str, Any]]:
    return [dict(event) for event in events if event["event"] == "request"]


def test_a_request_is_logged_with_its_key_route_and_status_and_nothing_of_its_content(
    client: TestClient, any_workspace: Workspace
) -> None:
    key = make_key(any_workspace, "items:read")
    with capture_logs() as events:
        answer = client.get(f"{NOWHERE}?title=Secret", headers=bearer(key) | {"X-Request-ID": "trace-0001"})
    [event] = requests(events)
    assert event.pop("milliseconds") >= 0
    assert event == {
        "event": "request",
        "log_level": "info",
        "key": key.split("_")[1],
        "method": "GET",
        "route": "/v1/items/{item_id}",
        "status": 404,
    }
    assert (answer.headers["X-Request-ID"], answer.json()["request_id"]) == ("trace-0001", "trace-0001")


@pytest.mark.parametrize("stated", ["", "short", "a b c d e f g h", "x" * 200, 'evil"; drop', "id\x1b[31mred0000"])
def test_an_id_that_is_not_plain_is_replaced(client: TestClient, stated: str) -> None:
    answer = client.get(NOWHERE, headers={"X-Request-ID": stated})
    assert answer.status_code == 401
    request_id = answer.json()["request_id"]
    assert answer.headers["X-Request-ID"] == request_id != stated
    assert re.fullmatch(r"[0-9a-f-]{36}", request_id)


def test_every_kind_of_answer_has_an_id(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, status in (("/healthz", 200), ("/nowhere", 404), ("/checkpoint", 200), ("/v1/keys", 401)):
        answer = client.get(path)
        assert answer.status_code == status
        assert len(answer.headers["X-Request-ID"]) == 36

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("shared.ledger.log.Log.checkpoint", fail)
    with capture_logs() as events, pytest.raises(ZeroDivisionError):
        client.get("/checkpoint")
    assert [event["status"] for event in requests(events)] == [500]
    quiet = TestClient(client.app, base_url=str(client.base_url), raise_server_exceptions=False)
    failed = quiet.get("/checkpoint", headers={"X-Request-ID": "trace-0002"})
    assert (failed.status_code, failed.headers["X-Request-ID"]) == (500, "trace-0002")
    assert (failed.json()["code"], failed.json()["request_id"]) == ("internal_error", "trace-0002")


def register_two(client: TestClient, key: str, folder: str = "a") -> None:
    """Register an item alone and one in a batch, which other threads store."""
    record = registration(f"{folder}/alone.png").model_dump_json(exclude_none=True)
    answer = client.post("/v1/items", files={"image": png(1)}, data={"record": record}, headers=bearer(key))
    assert answer.status_code == 201, answer.text
    row = registration(f"{folder}/row.png").model_dump(mode="json", exclude_none=True)
    batch = json.dumps(row | {"image": _base64(png(2))}).encode()
    headers = bearer(key) | {"Content-Type": "application/jsonl"}
    answer = client.post("/v1/items/batch", content=batch, headers=headers)
    assert json.loads(answer.text.splitlines()[-1])["summary"]["registered"] == 1, answer.text


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_what_a_key_did_is_found_and_proved(client: TestClient, any_workspace: Workspace) -> None:
    key, other = make_key(any_workspace, "items:write"), make_key(any_workspace, "items:write")
    auditor = make_key(any_workspace, "keys:write", "items:write")
    register_two(client, key)
    register_two(client, other, "b")
    key_id = key.split("_")[1]
    answer = client.get(f"/v1/keys/{key_id}/history", headers=bearer(auditor))
    entries = answer.json()["items"]
    assert [entry["type"] for entry in entries] == ["item.registered", "item.registered"]
    for entry in entries:
        verified = verify_receipt(entry["receipt"], any_workspace.log.vkey)
        opening = {name: FieldOpening(**shown) for name, shown in entry["opening"].items()}
        verify_opening(opening, verified.entry.commitments)
        assert opening["by"].value == {"key": key_id, "role": "key"}
        assert key_id.encode() not in verified.entry.canonical_bytes()
        assert entry["subject"] == dict(verified.entry.subject)
    first = client.get(f"/v1/keys/{key_id}/history?limit=1", headers=bearer(auditor)).json()
    rest = client.get(f"/v1/keys/{key_id}/history", params={"cursor": first["next_cursor"]}, headers=bearer(auditor)).json()
    assert first["items"] + rest["items"] == entries
    assert client.get(f"/v1/keys/{key_id}/history", headers=bearer(key)).json()["code"] == "scope_missing"
    assert client.get("/v1/keys/operator/history", headers=bearer(auditor)).json()["code"] == "key_not_found"
    weaker = make_key(any_workspace, "keys:write")
    assert client.get(f"/v1/keys/{key_id}/history", headers=bearer(weaker)).json()["code"] == "key_not_found"


def test_a_command_shows_what_a_key_did_and_what_the_operator_did(workspace: Workspace) -> None:
    key = make_key(workspace, "items:write")
    with keyed_client(workspace, open_gate(workspace)) as client:
        register_two(client, key)
    runner = CliRunner(env={"SLEEVE_HOME": str(workspace.home), "COLUMNS": "300"})

    def history(name: str) -> list[str]:
        ran = runner.invoke(app, ["keys", "history", name, "--json"])
        assert ran.exit_code == 0, ran.output
        return [entry["type"] for entry in json.loads(ran.stdout)["items"]]

    assert history(key.split("_")[1]) == ["item.registered", "item.registered"]
    assert "key.created" in history("operator")
    assert "item.registered" in runner.invoke(app, ["keys", "history", key.split("_")[1]]).output
    entries = [parse_entry(data) for _, data in workspace.log.entries_since(0, 100)]
    assert all(entry.commitments["by"] for entry in entries)
