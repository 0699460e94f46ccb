"""No one gets in: every route against every kind of key, on both databases, and what is told to who stays out."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text, update
from sqlmodel import select

from services.keys.service import revoke_key
from services.output_gate.opening import open_gate
from services.output_gate.operation.recent_readiness import RecentReadiness
from services.server.app import build_api
from shared.auth import failures
from shared.auth.access import DESCRIPTION_PATHS, DeclaredRoute, declared_routes
from shared.auth.key_text import new_key_text
from shared.auth.scopes import SCOPES, with_included
from shared.clock import utc_now
from shared.records.api_keys import ApiKey
from shared.records.idempotency import IdempotencyKey
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.factories import png, registration
from tests.support.keys import bearer, keyed_client, make_key
from tests.support.postgres import new_database

ROUTES = [route for route in declared_routes(build_api()) if route.path not in DESCRIPTION_PATHS]
PROTECTED = [route for route in ROUTES if route.access is not None and not route.access.public]


@pytest.fixture
def client(any_workspace: Workspace) -> Iterator[TestClient]:
    with keyed_client(any_workspace, open_gate(any_workspace)) as opened:
        yield opened


def end(workspace: Workspace, key: str) -> str:
    """Let a key's time be over."""
    with workspace.writing() as session:
        ended = update(ApiKey).where(ApiKey.id == key.split("_")[1]).values(expires_at=utc_now() - timedelta(seconds=1))  # type: ignore[arg-type]
        session.execute(ended)
    return key


def revoked(workspace: Workspace, key: str) -> str:
    revoke_key(workspace, key.split("_")[1])
    return key


def ask(client: TestClient, route: DeclaredRoute, key: str | None) -> Any:
    [method] = (route.methods or {"GET"}) - {"HEAD"}
    path = re.sub(r"\{sha256\}", "0" * 64, route.path)
    path = re.sub(r"\{\w+\}", "0198c0de-4a10-7c11-9d0e-2f6a51b0c001", path)
    return client.request(method, path, headers=bearer(key) if key else {})


def test_every_route_against_every_kind_of_key(
    any_workspace: Workspace, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "MAX_FAILURES", 10**6)
    single = {scope: make_key(any_workspace, scope) for scope in SCOPES}
    refused = {
        "key_missing": None,
        "key_malformed": single["items:read"][:-1] + ("0" if single["items:read"][-1] != "0" else "1"),
        "key_unknown": new_key_text().text,
        "key_expired": end(any_workspace, make_key(any_workspace, *SCOPES)),
        "key_revoked": revoked(any_workspace, make_key(any_workspace, *SCOPES)),
    }
    without: dict[frozenset[str], str] = {}
    for route in PROTECTED:
        assert route.access is not None
        for code, key in refused.items():
            answer = ask(client, route, key)
            assert (answer.status_code, answer.json()["code"]) == (401, code), route.path
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith('Bearer realm="sleeve"')
            assert ("error=" in answer.headers["www-authenticate"]) == (code != "key_missing")
        others = frozenset(scope for scope in SCOPES if not with_included([scope]) & set(route.access.any_of))
        if others not in without:
            without[others] = make_key(any_workspace, *others)
        answer = ask(client, route, without[others])
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing"), route.path
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        for scope in route.access.any_of:
            assert ask(client, route, single[scope]).status_code not in {401, 403, 429}, (route.path, scope)


def test_what_is_public_asks_for_none_and_takes_no_wrong_one(client: TestClient, any_workspace: Workspace) -> None:
    for path in ("/openapi.json", "/docs", "/redoc"):
        assert client.get(path).status_code == 200
    key = make_key(any_workspace, "metrics:read")
    for route in ROUTES:
        if route.access is not None and route.access.public:
            assert ask(client, route, None).status_code in {200, 404, 422, 503}, route.path
            assert ask(client, route, key).status_code in {200, 404, 422, 503}, route.path
            assert ask(client, route, new_key_text().text).status_code == 401, route.path
    assert client.get("/nowhere").status_code == 404
    assert client.put("/v1/items").status_code == 405


def test_readiness_names_its_dependencies_to_who_may_see_metrics(client: TestClient, any_workspace: Workspace) -> None:
    plain, detailed = client.get("/readyz"), client.get("/readyz", headers=bearer(make_key(any_workspace, "metrics:read")))
    assert plain.status_code == detailed.status_code
    assert plain.json()["ready"] == detailed.json()["ready"]
    assert plain.json()["dependencies"] == []
    assert len(detailed.json()["dependencies"]) > 4


def test_anyones_readiness_is_measured_once_a_second(any_workspace: Workspace) -> None:
    gate, now = open_gate(any_workspace), 1000.0
    recent = RecentReadiness(gate, lambda: now)
    first = recent.read()
    now += 0.9
    assert recent.read() is first
    now += 0.1
    assert recent.read() is not first
    assert first.dependencies == []
    gate.close()


def test_a_revoked_key_is_refused_with_the_next_request_everywhere(client: TestClient, any_workspace: Workspace) -> None:
    key = make_key(any_workspace, "items:read")
    assert client.get("/v1/items", headers=bearer(key)).status_code == 200
    # Another connection, as another process would have: nothing is kept between requests.
    revoked(any_workspace, key)
    assert client.get("/v1/items", headers=bearer(key)).json()["code"] == "key_revoked"


async def answer_without_reading(app: FastAPI, headers: list[tuple[bytes, bytes]]) -> int:
    """Post a body that must not be asked for; return the status."""
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        raise AssertionError("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/items",
        "raw_path": b"/v1/items",
        "query_string": b"",
        "headers": [(b"content-length", b"1000000"), (b"content-type", b"application/json"), *headers],
        "client": ("192.0.2.1", 1),
        "server": ("192.0.2.2", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    await app(scope, receive, send)
    return int(sent[0]["status"])


def test_no_body_is_read_of_who_may_not_come_in(client: TestClient, any_workspace: Workspace) -> None:
    import asyncio

    app: FastAPI = client.app  # type: ignore[assignment]
    wrong = make_key(any_workspace, "metrics:read")
    assert asyncio.run(answer_without_reading(app, [])) == 401
    assert asyncio.run(answer_without_reading(app, [(b"authorization", f"Bearer {new_key_text().text}".encode())])) == 401
    assert asyncio.run(answer_without_reading(app, [(b"authorization", f"Bearer {wrong}".encode())])) == 403


def test_guesses_are_put_off_and_the_good_key_is_not(client: TestClient, any_workspace: Workspace) -> None:
    good, fresh = make_key(any_workspace, "items:read"), make_key(any_workspace, "items:read")
    assert client.get("/v1/items", headers=bearer(good)).status_code == 200
    for _ in range(failures.MAX_FAILURES):
        assert client.get("/v1/items", headers=bearer(new_key_text().text)).status_code == 401
    answer = client.get("/v1/items", headers=bearer(fresh))
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_failures")
    assert 0 < int(answer.headers["retry-after"]) <= failures.WINDOW_SECONDS
    assert client.get("/v1/items", headers=bearer(good)).status_code == 200
    assert client.get("/checkpoint").status_code == 200


def test_another_callers_idempotency_key_is_another_one(client: TestClient, any_workspace: Workspace) -> None:
    keys = [make_key(any_workspace, "policies:write", "keys:write", "metrics:read") for _ in range(2)]
    body = {"name": "a key of a key", "scopes": ["metrics:read"]}
    first, second, again = (
        client.post("/v1/keys", json=body, headers=bearer(key) | {"Idempotency-Key": "same"}) for key in (*keys, keys[0])
    )
    assert (first.status_code, second.status_code, again.status_code) == (201, 201, 201)
    assert first.json()["id"] == again.json()["id"] != second.json()["id"]
    assert (again.json()["key"], second.json()["key"] is None) == (None, False)
    other = client.post("/v1/keys", json=body | {"name": "x"}, headers=bearer(keys[0]) | {"Idempotency-Key": "same"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


@pytest.mark.postgres
def test_a_stream_belongs_to_its_caller_too(client: TestClient, any_workspace: Workspace) -> None:
    # Its rows are registered on a thread of its own.
    callers = [make_key(any_workspace, "items:write") for _ in range(2)]
    for number, key in enumerate(callers):
        row = registration(f"{number}.png").model_dump(mode="json") | {"image": b64encode(png(number)).decode()}
        headers = bearer(key) | {"Idempotency-Key": "same", "Content-Type": "application/jsonl"}
        answer = client.post("/v1/items/batch", content=json.dumps(row), headers=headers)
        assert json.loads(answer.text.splitlines()[0])["state"] == "registered", answer.text
    with any_workspace.reading() as session:
        bound = session.exec(select(IdempotencyKey.caller).where(IdempotencyKey.key == "same")).all()
    assert set(bound) == {key.split("_")[1] for key in callers}


def test_a_database_that_was_restarted_is_asked_again(postgres_cluster: str, tmp_path: Path) -> None:
    with new_database(postgres_cluster) as url:
        workspace = open_workspace(Settings(home=tmp_path / "home", database_url=url))
        key = make_key(workspace, "items:read")
        with keyed_client(workspace, open_gate(workspace)) as client:
            assert client.get("/v1/items", headers=bearer(key)).status_code == 200
            with workspace.engine.connect() as connection:
                others = "datname = current_database() AND pid <> pg_backend_pid()"
                connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
            assert client.get("/v1/items", headers=bearer(key)).status_code == 200
        workspace.engine.dispose()


def test_a_database_that_is_down_lets_nobody_in(client: TestClient, any_workspace: Workspace) -> None:
    key = make_key(any_workspace, "items:read")
    with any_workspace.engine.begin() as connection:
        connection.execute(text("ALTER TABLE api_key RENAME TO elsewhere"))
    answer = client.get("/v1/items", headers=bearer(key))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_the_use_of_a_key_is_noted_once_an_hour(client: TestClient, any_workspace: Workspace) -> None:
    key = make_key(any_workspace, "metrics:read")
    seen = []
    for _ in range(2):
        assert client.get("/metrics", headers=bearer(key)).status_code == 200
        with any_workspace.reading() as session:
            seen.append(session.get_one(ApiKey, key.split("_")[1]).last_used_at)
    assert seen[0] is not None
    assert seen[0] == seen[1]


def test_what_is_stored_and_logged_does_not_hold_the_key(
    client: TestClient, any_workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    key = make_key(any_workspace, "metrics:read")
    secret = key.rpartition("_")[2]
    assert client.get("/metrics", headers=bearer(key)).status_code == 200
    assert client.get("/metrics", headers=bearer(revoked(any_workspace, key))).status_code == 401
    with any_workspace.reading() as session:
        record = session.get_one(ApiKey, key.split("_")[1])
    logged = capsys.readouterr()
    assert record.id in logged.out + logged.err
    assert secret not in repr(record) + logged.out + logged.err
    any_workspace.log.integrate()
    entries = b"".join(any_workspace.log.entry(index) for index in range(any_workspace.log.size))
    assert b"key.created" in entries
    assert b"key.revoked" in entries
    assert secret.encode() not in entries
    assert b"a test" not in entries
