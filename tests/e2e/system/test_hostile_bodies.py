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
from services.server.connections import STREAMS

DOCUMENT = describe_api(build_api())
JSON, FORM = "application/json", "multipart/form-data"
ROUTES = [
    (path, operations["post"]["requestBody"]["content"][JSON]["schema"])
    for path, operations in DOCUMENT["paths"].items()
    if JSON in operations.get("post", {}).get("requestBody", {}).get("content", {})
]
# Every operation with a body but the streams, whose lines have limits of their own.
BODIES = [
    (path, media_type)
    for path, operations in DOCUMENT["paths"].items()
    for media_type in operations.get("post", {}).get("requestBody", {}).get("content", {})
    if path not in STREAMS
]
# So that the bodies are small; as they come, in pieces.
MAX_IMAGE_BYTES, PIECE_BYTES = 2**20, 2**16
MANY = 70_000
# Of one processor, for a body of a megabyte: what a request may keep everybody waiting for.
MAX_CPU_SECONDS = 1.5
MAX_ANSWER_BYTES = 20_000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    from shared.settings import Settings
    from shared.workspace import open_workspace

    workspace = open_workspace(
        Settings(home=tmp_path_factory.mktemp("home"), database_url=None, max_image_bytes=MAX_IMAGE_BYTES)
    )
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


@pytest.mark.parametrize("is_stated", [True, False], ids=["stated", "chunked"])
@pytest.mark.parametrize(("path", "media_type"), BODIES)
def test_a_body_beyond_the_limit_of_its_operation_is_not_parsed(
    client: TestClient, path: str, media_type: str, is_stated: bool
) -> None:
    max_bytes = build_body_limits(MAX_IMAGE_BYTES).get(path, MAX_JSON_BYTES)
    # Neither JSON, TOML nor a whole form: parsed, each of them would be refused for that.
    begin = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' if media_type == FORM else b'{"a":'
    content = begin + b" " * (max_bytes + 1 - len(begin))
    headers = {"Content-Type": f"{media_type}; boundary=x" if media_type == FORM else media_type}
    url = path.replace("{", "").replace("}", "")
    pieces = (content[at : at + PIECE_BYTES] for at in range(0, len(content), PIECE_BYTES))
    answer = client.post(url, content=content if is_stated else pieces, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "http_413"), answer.text
    assert answer.json()["detail"] == f"body too large: expected at most {max_bytes:,} bytes"
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_operation_with_a_body_is_among_those_above_or_a_stream() -> None:
    with_bodies = {
        (path, method)
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation
    }
    assert with_bodies == {(path, "post") for path, _ in BODIES} | {(path, "post") for path in STREAMS}
