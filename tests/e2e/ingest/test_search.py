"""Search by image as its users see it: over REST beside the other services, and from the command line."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.ingest.search.service import ImageSearch
from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.workspace import Workspace
from tests.e2e.system.test_cli import one_line_error, sleeve
from tests.support.factories import encode, png_of_size, register
from tests.unit.services.ingest.search.copies import big_png, detailed, fingerprint_rows

PROBLEM = "application/problem+json"
WAIT_SECONDS = 30


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace, open_gate(workspace)), base_url="http://127.0.0.1") as opened:
        yield opened


def post(client: TestClient, data: bytes, **query: Any) -> Any:
    return client.post("/v1/items/search", files={"image": ("x.png", data, "image/png")}, params=query)


def test_a_creator_finds_their_picture(client: TestClient, workspace: Workspace) -> None:
    item = register(workspace, "a.png", big_png(1))
    body = post(client, encode(detailed(1), "JPEG", quality=80)).json()
    [match] = body["matches"]
    assert (match["kind"], match["item"]["id"], match["item"]["state"]) == ("perceptual", item.id, "active")
    assert match["distance"] <= body["perceptual"]["max_distance"] == 31
    assert match["item"] == client.get(f"/v1/items/{item.id}").json()
    assert (body["complete"], body["searched"]["registered"]) == (True, 1)
    assert post(client, big_png(1), max_distance=0, limit=1).json()["matches"][0]["kind"] == "exact"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"words", "not_an_image"),
        (b"", "not_an_image"),
        (big_png(1)[:200], "image_damaged"),
        (png_of_size(10_000, 10_000), "image_too_many_pixels"),
    ],
)
def test_hostile_bytes_are_a_problem(client: TestClient, data: bytes, code: str) -> None:
    answer = post(client, data)
    assert (answer.status_code, answer.headers["content-type"], answer.json()["code"]) == (422, PROBLEM, code)


@pytest.mark.parametrize("query", [{"max_distance": -1}, {"max_distance": 129}, {"limit": 0}, {"limit": 201}, {"limit": "x"}])
def test_unusable_bounds_are_a_problem(client: TestClient, query: dict[str, Any]) -> None:
    answer = post(client, big_png(1), **query)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert client.post("/v1/items/search").status_code == 422


def test_the_server_makes_fingerprints_without_being_asked(client: TestClient, workspace: Workspace) -> None:
    register(workspace, "a.png", big_png(1))
    deadline = time.monotonic() + WAIT_SECONDS
    while not fingerprint_rows(workspace) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(fingerprint_rows(workspace)) == 1
    assert client.get("/healthz").status_code == 200


def test_the_command_line_answers_as_the_service_does(workspace: Workspace, tmp_path: Path) -> None:
    register(workspace, "a.png", big_png(1))
    copy, flat = tmp_path / "copy.jpg", tmp_path / "flat.png"
    copy.write_bytes(encode(detailed(1), "JPEG", quality=80))
    flat.write_bytes(encode(detailed(1).point(lambda _: 9)))
    printed = json.loads(sleeve(workspace.home, "ingest", "search", copy, "--json").stdout)
    assert printed == ImageSearch(workspace).search(copy.read_bytes(), 31, 20).model_dump()
    table = sleeve(workspace.home, "ingest", "search", copy, "--limit", "5").stdout
    for text in ("perceptual", "works / a.png", "Olga Owner (creator)", "active", "1 match;"):
        assert text in table
    assert "too flat" in sleeve(workspace.home, "ingest", "search", flat).stdout
    copy.write_bytes(b"words")
    one_line_error(sleeve(workspace.home, "ingest", "search", copy), "not_an_image")
    one_line_error(sleeve(workspace.home, "ingest", "search", tmp_path / "none.png"), "file_missing")


def test_the_command_line_makes_fingerprints_and_names_what_failed(workspace: Workspace) -> None:
    item = register(workspace, "a.png", big_png(1))
    register(workspace, "b.png", big_png(2))
    made = sleeve(workspace.home, "ingest", "fingerprint")
    assert (made.returncode, "2 blobs looked at; 0 without a fingerprint, 0 failed" in made.stdout) == (0, True)
    before = fingerprint_rows(workspace)
    assert sleeve(workspace.home, "ingest", "fingerprint", "--rebuild").returncode == 0
    assert fingerprint_rows(workspace) == before
    workspace.blobs.path(item.blob_sha256).unlink()
    failed = sleeve(workspace.home, "ingest", "fingerprint", "--rebuild")
    assert failed.returncode == 1
    assert item.blob_sha256 in failed.stdout
    assert "blob_not_found" in failed.stdout
    workspace.blobs.save(big_png(1))
    again = sleeve(workspace.home, "ingest", "fingerprint", "--retry-failed")
    assert (again.returncode, "1 blobs looked at" in again.stdout) == (0, True)
    assert fingerprint_rows(workspace) == before
