"""The three services over REST in one process: what users get, and what bad input gets."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from services.audit.sampling.sample import load_samples
from services.audit.sampling.samples import sample_model
from services.audit.training_sets.sealed_set import load_sealed_set
from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.ledger.verify import verify_receipt
from shared.records.checks import Check
from shared.records.flags import Flag
from shared.records.models import Calibration
from shared.vision.views import view_to_image
from shared.workspace import Workspace
from tests.e2e.conftest import GENERATIONS, STEPS, Audited
from tests.support.factories import encode, picture, png, png_of_size, registration

PROBLEM = "application/problem+json"


@pytest.fixture
def client(audited_workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(audited_workspace, open_gate(audited_workspace)), base_url="http://127.0.0.1") as opened:
        yield opened


def post_item(client: TestClient, data: bytes, key: str | None = None, record: str | None = None, **changed: Any) -> Any:
    text = record if record is not None else registration(**changed).model_dump_json()
    return client.post(
        "/v1/items",
        files={"image": ("x.png", data, "image/png")},
        data={"record": text},
        headers={"Idempotency-Key": key} if key else {},
    )


def post_check(client: TestClient, data: bytes, model: str = "model-a", key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post("/v1/checks", files={"image": ("x.png", data, "image/png")}, data={"model": model}, headers=headers)


def training_original(workspace: Workspace, audited: Audited) -> bytes:
    return workspace.blobs.load(load_sealed_set(workspace, audited.content["manifest"]["name"]).items[0].blob_sha256)


def test_an_item_is_registered_with_a_receipt_and_found_again(client: TestClient, audited_workspace: Workspace) -> None:
    answer = post_item(client, png(900))
    assert answer.status_code == 201
    body = answer.json()
    assert body["created"] is True
    verified = verify_receipt(body["receipt"], audited_workspace.log.vkey)
    assert verified.entry.subject["item"] == body["item"]["id"]
    assert client.get(answer.headers["Location"]).json() == body["item"]
    verify_receipt(client.get(answer.headers["Location"] + "/receipt").text, audited_workspace.log.vkey)
    again = post_item(client, png(900))
    assert (again.status_code, again.json()["created"], again.json()["item"]) == (200, False, body["item"])


def test_one_key_has_one_effect(client: TestClient) -> None:
    first = post_item(client, png(900), key="k1")
    assert post_item(client, png(900), key="k1").json()["item"] == first.json()["item"]
    other = post_item(client, png(901), key="k1", source_key="two.png")
    assert (other.status_code, other.headers["content-type"]) == (409, PROBLEM)
    assert other.json()["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("data", "changed", "code"),
    [
        (png(1)[:150], {}, "image_damaged"),
        (b"words", {}, "not_an_image"),
        (encode(picture(1, 1)), {}, "image_too_small"),
        (png_of_size(10_000, 10_000), {}, "image_too_many_pixels"),
        (png(1), {"licence": "all mine"}, "licence_not_spdx"),
        (png(1), {"record": "{"}, "record_invalid"),
        (png(1), {"record": json.dumps({"dataset": "x"})}, "record_invalid"),
    ],
)
def test_a_bad_registration_is_a_problem_and_changes_nothing(
    client: TestClient, audited_workspace: Workspace, data: bytes, changed: dict[str, Any], code: str
) -> None:
    size = audited_workspace.log.size
    answer = post_item(client, data, **changed)
    assert (answer.status_code, answer.headers["content-type"], answer.json()["code"]) == (422, PROBLEM, code)
    assert audited_workspace.log.integrate().size == size


def test_a_row_without_a_licence_is_refused(client: TestClient) -> None:
    record = json.loads(registration().model_dump_json())
    del record["licence"]
    answer = post_item(client, png(1), record=json.dumps(record))
    assert answer.status_code == 422
    assert "licence" in answer.json()["detail"]


def test_a_training_image_is_flagged_with_item_owner_and_receipt(
    client: TestClient, audited_workspace: Workspace, audited: Audited
) -> None:
    answer = post_check(client, training_original(audited_workspace, audited))
    assert answer.status_code == 201
    body = answer.json()
    assert (body["decision"], body["reason"]) == ("flag", "above_control_threshold")
    assert body["metrics"]["ssim"] == pytest.approx(1)
    assert (body["metrics"]["psnr"], body["metrics"]["identical"]) == (None, True)
    assert body["match"]["owners"][0]["name"].startswith("Creator ")
    assert body["p_value"] == pytest.approx(3 / (body["control_size"] + 1))  # of three rules
    assert body["manifest_root"] == audited.content["manifest"]["root"]
    assert body["calibration_sha256"] == audited.content["calibration_sha256"]
    verified = verify_receipt(body["receipt"], audited_workspace.log.vkey)
    assert verified.entry.type == "check.decided"
    assert verified.entry.body["decision"] == "flag"
    assert client.get(answer.headers["Location"]).json()["match"] == body["match"]
    with audited_workspace.reading() as session:
        flag = session.exec(select(Flag)).one()
    assert (flag.check_id, flag.item_id) == (body["id"], body["match"]["id"])
    assert sum(share["share"] for share in flag.shares) == pytest.approx(1)
    assert json.loads(audited_workspace.log.entry(audited_workspace.log.size - 1))["type"] == "flag.raised"


def test_a_picture_in_the_band_is_undecided_until_a_person_says_what_it_is(
    client: TestClient, audited_workspace: Workspace, audited: Audited
) -> None:
    data = training_original(audited_workspace, audited)
    rules = post_check(client, data).json()["rules"]
    [score] = [finding["score"] for finding in rules if finding["rule"] == "fused"]
    policy = {"name": "band", "version": 1, "rule": "fused", "neighbours": 1000, "shares": "equal"}
    band = {"threshold": score + 1, "borderline": {"threshold": score - 1}}
    adopted = client.post("/v1/policies", json=policy | band)
    assert adopted.status_code == 201, adopted.text
    body = post_check(client, data).json()
    assert (body["decision"], body["reason"], body["policy"]) == ("undecided", "borderline", "band v1")
    assert (body["threshold"], body["borderline_threshold"]) == (score + 1, score - 1)
    assert {rule["verdict"] for rule in body["rules"] if rule["rule"] == "fused"} == {"not_fired"}
    assert body["match"] is not None
    [flag, waiting] = client.get("/v1/reviews").json()["items"]
    assert flag["match_kind"] == waiting["match_kind"] == body["kind"] == "whole"
    assert (flag["kind"], waiting["kind"], waiting["id"]) == ("flag", "check", body["id"])
    answer = client.post(f"/v1/checks/{body['id']}/reviews", json={"verdict": "confirm"})
    assert answer.status_code == 201, answer.text
    raised = client.get(f"/v1/flags/{answer.json()['flag_id']}").json()
    assert (raised["item_id"], raised["state"], raised["amount_minor"]) == (body["match"]["id"], "reviewed", None)
    assert post_check(client, png(12345)).json()["decision"] == "clear"


def test_an_unrelated_image_is_clear(client: TestClient) -> None:
    body = post_check(client, png(12345)).json()
    assert body["decision"] == "clear"
    assert body["p_value"] > body["attained_rate"]


def test_a_generation_gets_the_same_findings_from_audit_and_gate(
    client: TestClient, audited_workspace: Workspace, audited: Audited
) -> None:
    samples = load_samples(sample_model(audited_workspace, "model-a", GENERATIONS, 0, STEPS))
    for one in audited.content["generations"]:
        body = post_check(client, encode(view_to_image(samples.images[one["index"]]))).json()
        found = {rule["rule"]: rule for rule in body["rules"]}
        assert set(found) == set(one["rules"])
        for name, expected in one["rules"].items():
            assert (found[name]["verdict"], found[name]["item"]) == (expected["verdict"], expected["item"]), name
            assert found[name]["score"] == expected["score"], name
        # One of the policy's rules decides, and the item that it names is the one answered and measured.
        deciding = body["rule"]
        assert (body["match"]["id"], body["score"]) == (found[deciding]["item"], found[deciding]["score"])
        if one["rules"][deciding]["item"] == one["item"]:
            assert body["metrics"]["ssim"] == one["metrics"]["ssim"]


def test_a_check_key_has_one_effect(client: TestClient, audited_workspace: Workspace) -> None:
    first, second = (post_check(client, png(5000), key="c1").json() for _ in range(2))
    assert first["id"] == second["id"]
    with audited_workspace.reading() as session:
        assert len(session.exec(select(Check)).all()) == 1
    assert post_check(client, png(5001), key="c1").status_code == 409


@pytest.mark.parametrize(
    ("data", "model", "status", "code"),
    [
        (png(1), "no-such-model", 404, "model_not_found"),
        (png(1)[:150], "model-a", 422, "image_damaged"),
        (b"words", "model-a", 422, "not_an_image"),
        (encode(picture(1, 1)), "model-a", 422, "image_too_small"),
        (png_of_size(10_000, 10_000), "model-a", 422, "image_too_many_pixels"),
    ],
)
def test_a_bad_check_is_a_problem(client: TestClient, data: bytes, model: str, status: int, code: str) -> None:
    answer = post_check(client, data, model)
    assert (answer.status_code, answer.headers["content-type"], answer.json()["code"]) == (status, PROBLEM, code)


def test_without_a_calibration_the_gate_is_undecided(client: TestClient, audited_workspace: Workspace) -> None:
    with audited_workspace.writing() as session:
        for audit in session.exec(select(Calibration)).all():
            audit.pipeline = {**audit.pipeline, "neighbours": 7}
            session.add(audit)
    body = post_check(client, png(1)).json()
    assert (body["decision"], body["reason"], body["match"]) == ("undecided", "calibrated_otherwise", None)
    verify_receipt(body["receipt"], audited_workspace.log.vkey)


def test_a_damaged_blob_makes_the_gate_undecided_never_clear(audited_workspace: Workspace) -> None:
    # The index of this copy is not built yet; building it reads every blob.
    other, victim = (item.blob_sha256 for item in load_sealed_set(audited_workspace, "small").items[:2])
    audited_workspace.blobs.path(victim).write_bytes(b"damaged")
    with TestClient(create_app(audited_workspace, open_gate(audited_workspace)), base_url="http://127.0.0.1") as client:
        body = post_check(client, audited_workspace.blobs.load(other)).json()
    assert (body["decision"], body["reason"]) == ("undecided", "blob_damaged")


def test_the_log_is_served_as_tiles(client: TestClient, audited_workspace: Workspace) -> None:
    checkpoint = client.get("/checkpoint")
    assert checkpoint.text == audited_workspace.log.checkpoint().note
    assert client.get("/log.vkey").text.strip() == audited_workspace.log.vkey
    size = audited_workspace.log.size
    tile = client.get(f"/tile/0/000.p/{size}")
    assert (tile.status_code, len(tile.content)) == (200, 32 * size)
    assert "immutable" in tile.headers["cache-control"]
    for path in ("0/999", "%2e%2e/checkpoint", "..%2f..%2fkeys%2flog.pem"):
        assert client.get(f"/tile/{path}").status_code == 404


def test_models_and_audits_are_shown(client: TestClient, audited: Audited) -> None:
    model = client.get("/v1/models/model-a").json()
    assert model["weights_sha256"] == audited.content["model"]["weights_sha256"]
    assert client.get(f"/v1/audits/{model['audits'][0]}").json() == audited.content
    assert client.get("/v1/audits/nothing").status_code == 404


def test_a_changed_audit_is_not_shown(client: TestClient, audited_workspace: Workspace) -> None:
    [path] = (audited_workspace.home / "audits" / "model-a").glob("*/audit.json")
    [audit] = client.get("/v1/models/model-a").json()["audits"]
    path.write_bytes(path.read_bytes().replace(b'"hits":', b'"hits": ', 1))
    answer = client.get(f"/v1/audits/{audit}")
    assert (answer.status_code, answer.json()["code"]) == (500, "audit_damaged")
    path.unlink()
    assert client.get(f"/v1/audits/{audit}").json()["code"] == "audit_damaged"
