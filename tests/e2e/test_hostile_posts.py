"""Every POST that makes something, with real names and ids, so that nothing is refused for being unknown.

What no database keeps, no JSON says or no server reads is answered 4xx problem+json, on both databases alike; a key has one
effect.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.serve import MAX_JSON_BYTES, build_api, create_app
from tests.e2e.test_bad_requests import DEEP, is_problem
from tests.factories import png, registration
from tests.gate_records import BORDERLINE, FLAGGED, POLICY, GateWorld, build_world
from shared.workspace import Workspace

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
FORM, LINES = "multipart/form-data", "application/jsonl"
# What a value of a JSON body may not be: its text.
VALUES = ('"a\\u0000b"', '"\\ud800"', "NaN", "-Infinity", "1e400", '"' + "x" * 50_000 + '"', "{}", "[[]]")


@pytest.fixture
def world(any_workspace: Workspace) -> GateWorld:
    return build_world(any_workspace)


@pytest.fixture
def client(world: GateWorld) -> Iterator[TestClient]:
    # Without its background workers: what is queued stays queued, and nothing is trained or fetched.
    opened = TestClient(
        create_app(world.workspace, world.gate), base_url="http://127.0.0.1", raise_server_exceptions=False
    )
    yield opened
    opened.close()
    world.gate.close()


def json_bodies(world: GateWorld) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    """By the path in the description: the real path, a body that is accepted, and what another one has instead."""
    first, second, third = (item.id for item in world.items)
    flags = [flag_of(world, at) for at in (0, 1)]
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
        "/v1/models": ("/v1/models", {"name": "m", "manifest": "small", "config": TRAINING}, {"name": "n"}),
        "/v1/audits": ("/v1/audits", {"model": "model-a", "control": "small", "generations": 4, "steps": 2}, {"seed": 1}),
        "/v1/studies": ("/v1/studies", STUDY, {"name": "others"}),
        "/v1/checks": ("/v1/checks", {"model": "model-a", "images": [{"data": "AA==", "name": "x"}]}, {"images": [{"data": ""}]}),
        "/v1/flags/{flag_id}/reviews": (f"/v1/flags/{flags[0]}/reviews", {"verdict": "confirm"} | words, {"note": "once"}),
        "/v1/checks/{check_id}/reviews": (f"/v1/checks/{check}/reviews", {"verdict": "confirm"} | words, {"note": "once"}),
        "/v1/flags/{flag_id}/steps": (
            f"/v1/flags/{flags[1]}/steps",
            {"step": "hold", "role": "compliance"} | words,
            {"note": "once"},
        ),
        "/v1/policies": ("/v1/policies", POLICY | {"version": 8}, {"version": 9}),
        "/v1/webhooks": (
            "/v1/webhooks",
            {"url": "https://198.51.100.7/sleeve", "events": ["flag.raised"]},
            {"events": ["flag.resolved"]},
        ),
        "/v1/items/{item_id}/withdrawal": (f"/v1/items/{third}/withdrawal", {"reason": "opted out"}, {"reason": "a letter"}),
    }


def flag_of(world: GateWorld, at: int) -> str:
    from tests.e2e.test_flags_rest import raised

    return raised(world, at)


def test_probe(client: TestClient, world: GateWorld) -> None:
    import time
    def show(name, a):
        if not is_problem(a):
            print("BAD", name, a.status_code, a.headers.get("content-type"), a.text[:200])
    for named, (path, body, other) in json_bodies(world).items():
        t = time.perf_counter()
        text = json.dumps(body)
        head = {"content-type": "application/json"}
        for at, one in leaves(body):
            for v in VALUES:
                a = client.post(path, content=with_value(body, at, v), headers=head)
                show((named, at, v[:20]), a)
        for what, data, h in [("deep", DEEP.encode(), head), ("deepkey", (text[:-1] + ', "zz": ' + DEEP + "}").encode(), head), ("surrkey", text[:-1].encode() + b', "\\ud800": 1}', head), ("nulkey", text[:-1].encode() + b', "\\u0000": 1}', head),
            ("notype", text.encode(), {}), ("plain", text.encode(), {"content-type": "text/plain"}), ("xml", text.encode(), {"content-type": "application/xml"}), ("empty", b"", head), ("null", b"null", head), ("spaces", b"  ", head), ("utf16", text.encode("utf-16"), head), ("bom", b"\xef\xbb\xbf"+text.encode(), head),
            ("gzip", text.encode(), head|{"content-encoding":"gzip"}), ("charset", text.encode(), {"content-type": "application/json; charset=nonsense"}), ("41", b" " * (MAX_JSON_BYTES + 2**20), head), ("dup", b"[]", head), ("badutf", text.encode().replace(b'"}', b'\xff"}'), head)]:
            show((named, what), client.post(path, content=data, headers=h))
        for k in ["x" * 256, b"\xc3\xa9", "\x7f", "", "\u00a0".encode("latin-1")]:
            show((named, "key", k[:10]), client.post(path, json=body, headers={"Idempotency-Key": k}))
        a = client.post(path, json=body, headers={"Idempotency-Key": "k"})
        b = client.post(path, json=body, headers={"Idempotency-Key": "k"})
        c = client.post(path, json=body | other, headers={"Idempotency-Key": "k"})
        print("IDEM", named, a.status_code, b.status_code, a.json() == b.json(), c.status_code, c.text[:160] if c.status_code != 409 else "", "" if a.status_code < 300 else a.text[:200], round(time.perf_counter() - t, 2))
    missing = {p for p, m in build_api().openapi()["paths"].items() for meth, o in m.items() if meth == "post" and any(x["name"].lower() == "idempotency-key" for x in o.get("parameters", ()))} - set(json_bodies(world))
    print("MISSING", missing)


def leaves(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, (*at, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, (*at, number))
    else:
        yield at, value


def with_value(body: Any, at: tuple[Any, ...], text: str) -> str:
    changed = json.loads(json.dumps(body))
    *way, last = at
    inner = changed
    for step in way:
        inner = inner[step]
    inner[last] = "@@"
    return json.dumps(changed).replace('"@@"', text)
