"""The two searches of the gate: what it saw and said, and which registered items are near."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlmodel import select

from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.records.models import Calibration
from shared.workspace import Workspace
from tests.support.factories import encode, picture, png, register
from tests.support.gate_client import post_checks, training_original


@pytest.fixture
def client(audited_workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(audited_workspace, open_gate(audited_workspace)), base_url="http://127.0.0.1") as opened:
        yield opened


def ask(client: TestClient, path: str, data: bytes, **params: Any) -> Any:
    return client.post(path, files={"image": ("x.png", data, "image/png")}, params=params)


def jpeg(data: bytes) -> bytes:
    return encode(Image.open(io.BytesIO(data)).convert("RGB").resize((160, 160)), "JPEG", quality=80)


def test_the_registry_says_what_was_seen_and_decided(client: TestClient, audited_workspace: Workspace) -> None:
    copied = training_original(audited_workspace)
    flagged = post_checks(client, [copied]).json()
    again = post_checks(client, [copied]).json()
    clear = post_checks(client, [png(12_345, 256)]).json()
    body = ask(client, "/v1/outputs/search", copied).json()
    assert body["seen"] is True
    [match] = body["matches"]
    assert (match["kind"], match["distance"]) == ("exact", 0)
    assert [check["id"] for check in match["checks"]] == [again["id"], flagged["id"]]
    assert {check["decision"] for check in match["checks"]} == {"flag"}
    assert match["checks"][0]["decided_at"] == again["decided_at"]
    # Other bytes of the same pixels, and nearly the same pixels.
    same = encode(picture(12_345, 256), "WEBP", lossless=True)
    assert [one["kind"] for one in ask(client, "/v1/outputs/search", same).json()["matches"]] == ["pixels"]
    copy = encode(picture(12_345, 256), "JPEG", quality=85)
    [near] = ask(client, "/v1/outputs/search", copy).json()["matches"]
    assert (near["kind"], near["checks"][0]["id"]) == ("perceptual", clear["id"])
    unseen = ask(client, "/v1/outputs/search", png(777)).json()
    assert (unseen["seen"], unseen["matches"], unseen["searched"]["generations"]) == (False, [], 2)
    assert "Creator" not in ask(client, "/v1/outputs/search", copied).text
    assert ask(client, "/v1/outputs/search", b"words").json()["code"] == "not_an_image"


def test_the_nearest_items_are_found_whatever_their_manifest(client: TestClient, audited_workspace: Workspace) -> None:
    item = register(audited_workspace, "late.png", png(4000), dataset="other")
    post_checks(client, [png(1)])  # a check brings the index up; the thread of the server would too
    body = ask(client, "/v1/search", jpeg(png(4000)), limit=3).json()
    assert len(body["items"]) == 3
    first = body["items"][0]
    assert (first["item"]["id"], first["item"]["state"]) == (item.id, "active")
    assert first["item"]["owners"][0]["name"] == "Olga Owner"
    assert first["cosine"] > 0.9 > body["items"][1]["cosine"]
    assert first["metrics"]["ssim"] > body["items"][1]["metrics"]["ssim"]
    assert (body["searched"]["registered"], body["searched"]["gaps"]) == (41, 0)
    withdrawn = client.post(f"/v1/items/{item.id}/withdrawal", json={"reason": "owner_request"})
    assert withdrawn.status_code == 201
    found = ask(client, "/v1/search", png(4000)).json()["items"][0]["item"]
    assert (found["id"], found["state"]) == (item.id, "withdrawn")


def test_an_item_whose_bytes_are_gone_is_named_without_figures(client: TestClient, audited_workspace: Workspace) -> None:
    post_checks(client, [png(1)])
    copied = training_original(audited_workspace)
    first = ask(client, "/v1/search", copied).json()["items"][0]["item"]
    audited_workspace.blobs.path(first["sha256"]).unlink()
    found = ask(client, "/v1/search", copied).json()["items"][0]
    assert (found["item"]["id"], found["metrics"], found["problem"]) == (first["id"], None, "blob_not_found")


def test_evidence_is_a_picture_where_there_is_a_match(client: TestClient, audited_workspace: Workspace) -> None:
    with audited_workspace.writing() as session:
        [calibration] = session.exec(select(Calibration)).all()
        kept, calibration.pipeline = calibration.pipeline, {**calibration.pipeline, "neighbours": 7}
    undecided = post_checks(client, [png(1)]).json()
    assert undecided["decision"] == "undecided"
    with audited_workspace.writing() as session:
        session.add(calibration)
        calibration.pipeline = kept
    flagged = post_checks(client, [jpeg(training_original(audited_workspace))]).json()
    answer = client.get(f"/v1/checks/{flagged['id']}/evidence.png")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    sheet = Image.open(io.BytesIO(answer.content))
    assert sheet.width > 4 * 300
    assert client.get(f"/v1/checks/{flagged['id']}/evidence.png").content == answer.content
    assert client.get("/v1/checks/nothing/evidence.png").json()["code"] == "check_not_found"
    missing = client.get(f"/v1/checks/{undecided['id']}/evidence.png")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_match")
