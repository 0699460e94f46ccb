"""Bodies made to be costly: each is refused at little cost, by every route that takes JSON."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.api.description import describe_api
from services.output_gate.opening import open_gate
from services.server.app import build_api, create_app
from services.server.body_limits import MAX_JSON_BYTES, build_body_limits

DOCUMENT = describe_api(build_api())
JSON = "application/json"
ROUTES = [
    (path, operations["post"]["requestBody"]["content"][JSON]["schema"])
    for path, operations in DOCUMENT["paths"].items()
    if JSON in operations.get("post", {}).get("requestBody", {}).get("content", {})
]
MANY = 70_000
# Of one processor, for a body of a megabyte: what a request may keep everybody waiting for.
MAX_CPU_SECONDS = 1.5
MAX_ANSWER_BYTES = 20_000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    from shared.settings import Settings
    from shared.workspace import open_workspace

    workspace = open_workspace(Settings(home=tmp_path_factory.mktemp("home"), database_url=None))
    gate = open_gate(workspace)
    yield TestClient(create_app(workspace, gate), base_url="http://127.0.0.1", raise_server_exceptions=False)
    gate.close()
    workspace.engine.dispose()


def fields_of(schema: dict[str, Any]) -> list[str]:
    """The names of a body's fields."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    parts = [part for key in ("oneOf", "anyOf", "allOf") for part in schema.get(key, ())]
    return [*schema.get("properties", {}), *(name for part in parts for name in fields_of(part))]


def costly_bodies(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Bodies of at most a megabyte, by name."""
    unknown = {f"field{number}": 0 for number in range(MANY // 2)}
    yield "unknown fields", json.dumps(unknown)
    yield "a long unknown field", json.dumps({"x" * 1_000_000: 0})
    values = {
        "numbers": [0] * (MANY * 4),
        "objects": [{"a": 1}] * MANY,
        "unknown fields": unknown,
        "objects with unknown fields": [{f"f{number}": 0 for number in range(90)}] * 900,
        "a long word": "x" * 1_000_000,
    }
    for field in fields_of(schema):
        for name, value in values.items():
            yield f"{field}: {name}", json.dumps({field: value})


@pytest.mark.parametrize(("path", "schema"), ROUTES, ids=[path for path, _ in ROUTES])
def test_a_costly_body_is_refused_at_little_cost(client: TestClient, path: str, schema: dict[str, Any]) -> None:
    for name, body in costly_bodies(schema):
        content = body.encode()
        assert len(content) <= MAX_JSON_BYTES, name
        begun = time.process_time()
        answer = client.post(path.replace("{", "").replace("}", ""), content=content, headers={"Content-Type": JSON})
        cost = time.process_time() - begun
        assert 400 <= answer.status_code < 500, (name, answer.text[:300])
        assert answer.headers["content-type"] == "application/problem+json", name
        assert len(answer.content) < MAX_ANSWER_BYTES, name
        assert cost < MAX_CPU_SECONDS, (name, cost)


@pytest.mark.parametrize("path", [path for path, _ in ROUTES])
def test_a_body_beyond_the_limit_of_its_route_is_not_parsed(client: TestClient, path: str) -> None:
    max_bytes = build_body_limits(20 * 2**20).get(path, MAX_JSON_BYTES)
    content = b'{"a":' + b" " * (max_bytes - 6) + b"0}"
    answer = client.post(path.replace("{", "").replace("}", ""), content=content, headers={"Content-Type": JSON})
    assert (answer.status_code, answer.json()["code"]) == (413, "http_413")
    assert answer.json()["detail"] == f"body too large: expected at most {max_bytes:,} bytes"


def test_every_route_with_files_has_a_limit_of_its_own() -> None:
    limits = build_body_limits(2**20)
    forms = [
        path
        for path, operations in DOCUMENT["paths"].items()
        if "multipart/form-data" in operations.get("post", {}).get("requestBody", {}).get("content", {})
    ]
    assert forms
    assert set(forms) <= set(limits)
