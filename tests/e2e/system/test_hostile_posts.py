"""Every POST that makes something, with real names and ids, so that nothing is refused for being unknown.

What no database keeps, no JSON says or no server reads is answered 4xx problem+json, on both databases alike; a key has one
effect.
"""

import base64
import copy
import json
from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.server.app import build_api, create_app
from services.server.body_limits import CHECKS_BYTES, MANIFEST_BYTES
from shared.records.manifests import seal_manifest
from shared.settings import Settings
from shared.workspace import open_workspace
from tests.e2e.system.test_bad_requests import DEEP, is_problem
from tests.support.factories import png, register, registration
from tests.support.flag_client import flag_of
from tests.support.gate_records import BORDERLINE, FLAGGED, POLICY, GateWorld, build_world
from tests.support.web_server import PUBLIC

SEARCH = {
    "sources": ["VG Bild-Kunst"],
    "query": "Olga Owner",
    "searched_by": "Rita Researcher",
    "searched_at": "2026-03-01T09:00:00.000Z",
    "jurisdiction": "DE",
    "work_category": "photography",
    "result": "owner_identified",
    "note": "member since 2009",
    "expires_at": "2027-03-01T09:00:00.000Z",
}
SIGNAL = {
    "kind": "robots-txt",
    "raw_base64": "VXNlci1hZ2VudDogKgpEaXNhbGxvdzogLwo=",
    "observed_at": "2026-03-01T09:00:00.000Z",
}
OWNER = {"name": "Nora New", "basis": "letter", "confidence": 0.7}
AMENDMENT = {
    "reason": "a letter",
    "title": "Harbour",
    "licence": "MIT",
    "licence_url": "https://example.org/l",
    "snapshot_url": "https://web.archive.org/web/20260101000000/https://example.org/0.png",
    "version_date": "2026-01-01",
    "owners": [OWNER],
}
TRAINING = {"resolution": 16, "channels": 3, "max_train_steps": 1, "seed": 1}
STUDY = {
    "name": "tiles",
    "dataset": "works",
    "sizes": [1, 2],
    "control": 1,
    "generations": 4,
    "sampling_steps": 2,
    "training": {"resolution": 16, "channels": 3, "max_train_steps": 1},
}
RECORD = registration("new.png").model_dump(mode="json", exclude_unset=True)
# By path: what a POST that takes no JSON is sent.
FORMS: dict[str, dict[str, Any]] = {
    "/v1/items": {"files": {"image": ("x.png", png(98), "image/png")}, "data": {"record": json.dumps(RECORD)}},
    "/v1/items/batch": {
        "content": json.dumps(RECORD | {"image": base64.b64encode(png(98)).decode()}),
        "headers": {"content-type": "application/jsonl"},
    },
}
# A webhook's secret and a key's text are not shown again.
SHOWN_ONCE = {"secret": None, "key": None}
# What no value of a JSON body may be, as text: what no database keeps, what no JSON is, what is too long or of another kind.
HOSTILE = ('"a\\u0000b"', '"\\ud800"', "NaN", "-Infinity", "1e400", '"' + "x" * 50_000 + '"', "true", "{}", "[[]]")
JSON = {"content-type": "application/json"}
BAD_KEYS = {"too long": "x" * 256, "not ASCII": "é".encode(), "not UTF-8": b"\xff", "empty": "", "control": "a\x7fb"}
TOO_LARGE = b" " * (max(CHECKS_BYTES, MANIFEST_BYTES) + 2**20)


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[GateWorld]:
    allowed = (ip_network(f"{PUBLIC}/32"),)
    workspace = open_workspace(Settings(home=tmp_path / "home", database_url=database_url, fetch_allowed_networks=allowed))
    built = build_world(workspace)
    held_out = register(workspace, "held-out.png", png(50))
    with workspace.writing() as session:
        seal_manifest(session, "held-out", "control", [held_out.id])
    yield built
    built.gate.close()
    workspace.engine.dispose()


@pytest.fixture
def client(world: GateWorld) -> Iterator[TestClient]:
    # Without its background workers: what is queued stays queued, and nothing is trained or fetched.
    opened = TestClient(create_app(world.workspace, world.gate), base_url="http://127.0.0.1", raise_server_exceptions=False)
    yield opened
    opened.close()


def json_bodies(world: GateWorld) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    """By the path in the description: the real path, a body that is accepted, and what another one has instead."""
    first, second, third = (item.id for item in world.items)
    flags = [flag_of(world, world.decided(FLAGGED, at).id).id for at in (0, 1)]
    check = world.decided(BORDERLINE, 2).id
    words = {"reason": "looked at it", "name": "Rita Reviewer", "note": "twice"}
    return {
        "/v1/items/{item_id}/amendments": (f"/v1/items/{first}/amendments", AMENDMENT, {"title": "Port"}),
        "/v1/items/{item_id}/diligence": (f"/v1/items/{first}/diligence", SEARCH, {"note": "no member"}),
        "/v1/diligence": ("/v1/diligence", SEARCH | {"items": [first, second]}, {"items": [second]}),
        "/v1/items/{item_id}/signals": (f"/v1/items/{second}/signals", SIGNAL, {"observed_at": "2026-04-01T09:00:00.000Z"}),
        "/v1/archive/verifications": ("/v1/archive/verifications", {"dataset": "works", "older_than_days": 1}, {"limit": 1}),
        "/v1/archive/captures": ("/v1/archive/captures", {"dataset": "works", "older_than_days": 1}, {"limit": 1}),
        "/v1/manifests": ("/v1/manifests", {"name": "two", "purpose": "train", "dataset": "works"}, {"name": "three"}),
        "/v1/slices": ("/v1/slices", {"name": "drawn", "datasets": ["works"], "size": 1}, {"name": "other"}),
        "/v1/models": ("/v1/models", {"name": "m", "manifest": "small", "config": TRAINING}, {"name": "n"}),
        "/v1/audits": ("/v1/audits", {"model": "model-a", "control": "held-out", "generations": 4, "steps": 2}, {"seed": 1}),
        "/v1/studies": ("/v1/studies", STUDY, {"name": "others"}),
        "/v1/checks": (
            "/v1/checks",
            {"model": "model-a", "image": base64.b64encode(png(99)).decode()},
            {"image": base64.b64encode(png(97)).decode()},
        ),
        "/v1/flags/{flag_id}/reviews": (f"/v1/flags/{flags[0]}/reviews", {"verdict": "confirm"} | words, {"note": "once"}),
        "/v1/checks/{check_id}/reviews": (f"/v1/checks/{check}/reviews", {"verdict": "confirm"} | words, {"note": "once"}),
        "/v1/flags/{flag_id}/steps": (
            f"/v1/flags/{flags[1]}/steps",
            {"step": "hold", "role": "compliance"} | words,
            {"note": "once"},
        ),
        "/v1/policies": ("/v1/policies", POLICY | {"version": 8}, {"version": 9}),
        "/v1/keys": (
            "/v1/keys",
            {"name": "portal", "scopes": ["items:read"], "expires_at": "2099-01-01T00:00:00Z"},
            {"name": "other"},
        ),
        "/v1/webhooks": (
            "/v1/webhooks",
            {"url": f"https://{PUBLIC}/sleeve", "events": ["flag.raised"]},
            {"events": ["flag.resolved"]},
        ),
        "/v1/items/{item_id}/withdrawal": (f"/v1/items/{third}/withdrawal", {"reason": "opted out"}, {"reason": "a letter"}),
    }


def assert_all_refused(answers: Iterable[tuple[Any, Any]]) -> None:
    wrong = [f"{request}: {answer.status_code} {answer.text[:200]}" for request, answer in answers if not is_problem(answer)]
    assert not wrong, "\n".join(wrong)


def test_every_post_that_takes_a_key_is_asked(world: GateWorld) -> None:
    described = {
        path
        for path, methods in build_api().openapi()["paths"].items()
        if any(parameter["name"] == "Idempotency-Key" for parameter in methods.get("post", {}).get("parameters", ()))
        and "requestBody" in methods["post"]
    }
    assert described == set(json_bodies(world)) | set(FORMS)


def test_no_value_is_taken_that_cannot_be_kept(client: TestClient, world: GateWorld) -> None:
    assert_all_refused(
        ((path, at, text[:20]), client.post(path, content=with_value(body, at, text), headers=JSON))
        for path, body, _ in json_bodies(world).values()
        for at, value in leaves(body)
        for text in (*HOSTILE, "0" if isinstance(value, str) else '"1"')
    )


def test_no_body_is_taken_that_cannot_be_read(client: TestClient, world: GateWorld) -> None:
    def answers() -> Iterator[tuple[Any, Any]]:
        for path, body, _ in json_bodies(world).values():
            text = json.dumps(body).encode()
            bodies = {
                "no type": (text, {}),
                "plain text": (text, {"content-type": "text/plain"}),
                "XML": (text, {"content-type": "application/xml"}),
                "a form": (text, {"content-type": "application/x-www-form-urlencoded"}),
                "nothing": (b"", JSON),
                "null": (b"null", JSON),
                "spaces": (b"  ", JSON),
                "half": (text[:-1], JSON),
                "invalid UTF-8": (text[:-1] + b', "a": "\xff"}', JSON),
                "too large": (TOO_LARGE, JSON),
                "deep": (DEEP.encode(), JSON),
                "deep in a field": (text[:-1] + b', "a": ' + DEEP.encode() + b"}", JSON),
                "lone surrogate as a field": (text[:-1] + b', "\\ud800": 1}', JSON),
                "NUL as a field": (text[:-1] + b', "\\u0000": 1}', JSON),
            }
            for name, (content, headers) in bodies.items():
                yield (path, name), client.post(path, content=content, headers=headers)

    assert_all_refused(answers())


def test_no_key_is_taken_that_is_none(client: TestClient, world: GateWorld) -> None:
    def answers() -> Iterator[tuple[Any, Any]]:
        for name, key in BAD_KEYS.items():
            headers: dict[Any, Any] = {"Idempotency-Key": key}
            for path, body, _ in json_bodies(world).values():
                yield (path, name), client.post(path, json=body, headers=headers)
            for path, sent in FORMS.items():
                yield (path, name), client.post(path, **sent | {"headers": sent.get("headers", {}) | headers})

    assert_all_refused(answers())


def test_a_key_has_one_effect(client: TestClient, world: GateWorld) -> None:
    for path, body, changed in json_bodies(world).values():
        headers = {"Idempotency-Key": f"for {path}"}
        first, again = (client.post(path, json=body, headers=headers) for _ in range(2))
        assert first.is_success, (path, first.text)
        assert (again.status_code, again.json() | SHOWN_ONCE) == (first.status_code, first.json() | SHOWN_ONCE), path
        other = client.post(path, json=body | changed, headers=headers)
        assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused"), (path, other.text)


def leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value of a body that is no object and no list, and the way to it."""
    if isinstance(value, dict | list):
        for name, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(member, (*at, name))
    else:
        yield at, value


def with_value(body: Any, at: tuple[Any, ...], text: str) -> bytes:
    """A body's text with other text in the place of one value."""
    changed = copy.deepcopy(body)
    inner = changed
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = "@@"
    return json.dumps(changed).replace('"@@"', text).encode()
