"""Making, listing and revoking keys, by command and over REST: nobody gives what they have not."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, select
from typer.testing import CliRunner

from services.commands.main import app
from services.output_gate.opening import open_gate
from shared.clock import timestamp, utc_now
from shared.errors import InputError, SleeveError
from shared.ledger.tables import LogEntry
from shared.ledger.verify import verify_receipt
from shared.workspace import Workspace
from tests.support.keys import bearer, keyed_client, make_key, party_named
from tests.support.log_entries import open_entries


@pytest.fixture
def client(any_workspace: Workspace) -> Iterator[TestClient]:
    with keyed_client(any_workspace, open_gate(any_workspace)) as opened:
        yield opened


def sleeve(home: Path, *arguments: str) -> Any:
    ran = CliRunner(env={"SLEEVE_HOME": str(home), "COLUMNS": "300"}).invoke(app, ["keys", *arguments])
    if isinstance(ran.exception, SleeveError):
        raise ran.exception
    assert ran.exit_code == 0, ran.output
    return ran


def entries(workspace: Workspace) -> list[tuple[str, dict[str, Any], dict[str, str]]]:
    with workspace.reading() as session:
        entry_ids = session.exec(select(LogEntry.id).order_by(col(LogEntry.id))).all()
    log_entries = open_entries(workspace, [entry_id for entry_id in entry_ids if entry_id is not None])
    return [(entry.type, entry.body, dict(entry.subject)) for entry in log_entries if entry.type.startswith("key.")]


def test_the_first_key_is_made_by_command_and_works_until_it_is_revoked(workspace: Workspace) -> None:
    ran = sleeve(workspace.home, "create", "first key", "--scope", "items:read", "--scope", "keys:write")
    key = ran.stdout.strip()
    with keyed_client(workspace, open_gate(workspace)) as client:
        assert client.get("/v1/items", headers=bearer(key)).status_code == 200
        [answer] = json.loads(sleeve(workspace.home, "list", "--json").stdout)["items"]
        assert (answer["name"], answer["scopes"], answer["state"]) == ("first key", ["items:read", "keys:write"], "active")
        assert answer["id"] == key.split("_")[1]
        assert key not in sleeve(workspace.home, "list").output
        assert json.loads(sleeve(workspace.home, "revoke", answer["id"], "--json").stdout)["state"] == "revoked"
        assert sleeve(workspace.home, "revoke", answer["id"]).stdout == f"{answer['id']}: revoked\n"
        assert client.get("/v1/items", headers=bearer(key)).json()["code"] == "key_revoked"
    body = {"scopes": ["items:read", "keys:write"], "party": None, "expires_at": answer["expires_at"], "by": None}
    subject = {"key": answer["id"]}
    assert entries(workspace) == [("key.created", body, subject), ("key.revoked", {"by": None}, subject)]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--scope", "items:everything"], "invalid_request"),
        (["--scope", "items:own"], "invalid_request"),
        (["--scope", "items:read", "--party", "0198c0de-0000-7000-8000-000000000000"], "invalid_request"),
        (["--scope", "items:own", "--party", "0198c0de-0000-7000-8000-000000000000"], "party_unknown"),
        (["--scope", "items:read", "--expires", "2020-01-01T00:00:00Z"], "key_expired"),
        (["--scope", "items:read", "--expires", "soon"], "invalid_request"),
        (["--scope", "items:read", "--expires", "2030-01-01T00:00:00"], "invalid_request"),
    ],
)
def test_what_is_no_key_is_refused_in_words(workspace: Workspace, arguments: list[str], code: str) -> None:
    with pytest.raises(InputError) as caught:
        sleeve(workspace.home, "create", "a key", *arguments)
    assert caught.value.code == code
    assert entries(workspace) == []


def test_every_scope_can_be_looked_up(workspace: Workspace) -> None:
    assert "checks:write" in sleeve(workspace.home, "scopes").output


def test_a_key_makes_no_key_beyond_itself(any_workspace: Workspace, client: TestClient) -> None:
    soon = utc_now() + timedelta(days=2)
    olga, peter = party_named(any_workspace, "Olga Owner"), party_named(any_workspace, "Peter Publisher")
    maker = make_key(any_workspace, "keys:write", "items:write", "items:own", party=olga, expires_at=timestamp(soon))

    def post(**fields: Any) -> Any:
        return client.post("/v1/keys", json={"name": "child"} | fields, headers=bearer(maker))

    for fields in (
        {"scopes": ["audits:run"]},
        {"scopes": ["items:read", "metrics:read"]},
        {"scopes": ["items:own"], "party_id": peter},
        {"scopes": ["items:read"], "expires_at": "never"},
        {"scopes": ["items:read"], "expires_at": timestamp(soon + timedelta(days=1))},
    ):
        answer = post(**fields)
        assert (answer.status_code, answer.json()["code"]) == (403, "key_beyond_maker"), fields
    # What is included may be given; nothing said of its end, it ends with its maker.
    made = post(scopes=["items:read"])
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert (made.json()["created_by"], made.json()["expires_at"]) == (maker.split("_")[1], timestamp(soon))
    assert post(scopes=["items:own"], party_id=olga, expires_at=timestamp(soon - timedelta(days=1))).status_code == 201
    assert client.get("/v1/items", headers=bearer(made.json()["key"])).status_code == 200
    verify_receipt(made.json()["receipt"], any_workspace.log.vkey)
    assert entries(any_workspace)[-2][1]["by"] == maker.split("_")[1]


def test_a_key_sees_and_revokes_what_it_could_have_made(any_workspace: Workspace, client: TestClient) -> None:
    maker = make_key(any_workspace, "keys:write", "items:read")
    beyond, within = make_key(any_workspace, "audits:run"), make_key(any_workspace, "items:read")
    headers = bearer(maker)
    listed = {row["id"] for row in client.get("/v1/keys", headers=headers).json()["items"]}
    assert listed == {maker.split("_")[1], within.split("_")[1]}
    assert client.get(f"/v1/keys/{beyond.split('_')[1]}", headers=headers).json()["code"] == "key_not_found"
    assert client.post(f"/v1/keys/{beyond.split('_')[1]}/revoke", headers=headers).json()["code"] == "key_beyond_maker"
    assert client.post("/v1/keys/0/revoke", headers=headers).json()["code"] == "key_not_found"
    assert client.get("/v1/models", headers=bearer(beyond)).status_code == 200
    for _ in range(2):
        assert client.post(f"/v1/keys/{within.split('_')[1]}/revoke", headers=headers).json()["state"] == "revoked"
    assert client.get("/v1/items", headers=bearer(within)).status_code == 401
    assert [row[0] for row in entries(any_workspace)].count("key.revoked") == 1
    revoked = client.get(f"/v1/keys/{within.split('_')[1]}", headers=headers).json()
    assert revoked["state"] == "revoked"
    assert "sha256" not in revoked
