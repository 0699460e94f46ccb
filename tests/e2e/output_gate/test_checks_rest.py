"""Checks over REST in all their forms: one image and many, forms and JSON, at once and by a job, and the list of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import func, select

from services.ingest.lifecycle.erasure import ERASED, erase_party
from services.output_gate.checks.timings import STEPS
from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.ledger.entries import parse_entry
from shared.ledger.verify import verify_receipt
from shared.records.checks import Check
from shared.workspace import Workspace
from tests.support.factories import encode, picture, png
from tests.support.gate_client import encoded, post_checks, post_json, training_original, wait_for_job

BAD = [png(1)[:150], b"words"]


@pytest.fixture
def client(audited_workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(audited_workspace, open_gate(audited_workspace)), base_url="http://127.0.0.1") as opened:
        yield opened


def decided(workspace: Workspace) -> list[str]:
    workspace.log.integrate()
    entries = [parse_entry(data) for _, data in workspace.log.entries_since(0, 10_000)]
    return [entry.subject["check"] for entry in entries if entry.type == "check.decided"]


def test_an_answer_says_what_it_rests_on_and_how_long_each_step_took(client: TestClient, audited_workspace: Workspace) -> None:
    body = post_json(client, {"model": "model-a", "image": encoded(training_original(audited_workspace))}).json()
    assert body["decision"] == "flag"
    assert body["matches"][0] == body["match"]
    assert body["match"]["id"] in body["cluster"]
    assert (body["match"]["licence"], body["match"]["state"]) == ("CC0-1.0", "active")
    assert {"engine", "version", "exact", "hnsw_ef", "cursor"} <= set(body["index"])
    assert body["index"]["cursor"] > 0
    assert (body["kind"], body["kind_figures"]["mirrored"], body["kind_figures"]["shown"]) == ("whole", False, 1.0)
    timings = body["timings_ms"]
    assert list(timings) == list(STEPS)
    assert sum(value for step, value in timings.items() if step != "total") <= timings["total"] + 0.1
    # A timing is of one machine at one moment: the log does not hold it.
    entry = verify_receipt(body["receipt"], audited_workspace.log.vkey).entry
    assert "timings" not in entry.canonical_bytes().decode()


def test_a_name_that_was_erased_is_gone_from_checks(client: TestClient, audited_workspace: Workspace) -> None:
    check = post_checks(client, [training_original(audited_workspace)]).json()
    owner = check["match"]["owners"][0]
    with audited_workspace.reading() as session:
        stored = session.get_one(Check, check["id"]).result
    assert owner["name"].startswith("Creator ")
    assert owner["name"] not in str(stored)
    with audited_workspace.writing() as session:
        erase_party(session, owner["party_id"], "asked for")
    assert client.get(f"/v1/checks/{check['id']}").json()["match"]["owners"][0]["name"] == ERASED


def test_each_of_many_images_has_its_own_outcome(client: TestClient, audited_workspace: Workspace) -> None:
    images = [training_original(audited_workspace), *BAD, png(12345)]
    answer = post_checks(client, images, **{"Idempotency-Key": "many"})
    assert answer.status_code == 207
    entries = answer.json()["checks"]
    assert [one["position"] for one in entries] == [0, 1, 2, 3]
    assert [one["name"] for one in entries] == ["0.png", "1.png", "2.png", "3.png"]
    assert [one["check"] and one["check"]["decision"] for one in entries] == ["flag", None, None, "clear"]
    assert [one["problem"] and one["problem"]["code"] for one in entries] == [None, "image_damaged", "not_an_image", None]
    for one in (entries[0], entries[3]):
        assert verify_receipt(one["check"]["receipt"], audited_workspace.log.vkey).entry.subject["check"] == one["check"]["id"]
        assert client.get(f"/v1/checks/{one['check']['id']}").json()["match"] == one["check"]["match"]
    again = post_checks(client, images, **{"Idempotency-Key": "many"})
    assert [one["check"] and one["check"]["id"] for one in again.json()["checks"]] == [
        one["check"] and one["check"]["id"] for one in entries
    ]
    assert len(decided(audited_workspace)) == 2
    assert post_checks(client, images[:1], **{"Idempotency-Key": "many"}).json()["code"] == "idempotency_key_reused"
    assert post_checks(client, images[::-1], **{"Idempotency-Key": "many"}).status_code == 409


def test_json_takes_one_image_or_many(client: TestClient, audited_workspace: Workspace) -> None:
    one = post_json(client, {"model": "model-a", "image": encoded(png(5))})
    assert (one.status_code, one.json()["decision"]) == (201, "clear")
    several = post_json(client, {"model": "model-a", "images": [{"data": encoded(png(5)), "name": "five"}]})
    assert (several.status_code, several.json()["checks"][0]["name"]) == (201, "five")
    mixed = post_json(client, {"model": "model-a", "images": [{"data": "no base64!"}, {"data": encoded(png(6))}]})
    assert mixed.status_code == 207
    assert [entry["problem"] and entry["problem"]["code"] for entry in mixed.json()["checks"]] == ["not_base64", None]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model": "model-a"}, 422, "invalid_request"),
        ({"model": "model-a", "images": []}, 422, "invalid_request"),
        ({"model": "", "image": ""}, 422, "invalid_request"),
        ({"model": "model-a", "image": "?"}, 422, "not_base64"),
        ({"model": "model-a", "image": "", "images": []}, 422, "invalid_request"),
        ({"model": "model-a", "image": "", "more": 1}, 422, "invalid_request"),
        ({"model": "no-such-model", "images": [{"data": encoded(png(1))}]}, 404, "model_not_found"),
        ({"model": "model-a", "images": [{"data": ""}] * 257}, 422, "invalid_request"),
    ],
)
def test_json_that_does_not_fit_is_a_problem(client: TestClient, body: dict[str, Any], status: int, code: str) -> None:
    answer = post_json(client, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_another_media_type_is_refused(client: TestClient) -> None:
    assert client.post("/v1/checks", content=b"x", headers={"content-type": "image/png"}).status_code == 415
    assert client.post("/v1/checks", data={"model": "model-a", "image": "x"}).status_code == 415
    assert client.post("/v1/checks", files={"image": ("x.png", png(1))}).json()["code"] == "invalid_request"


def test_a_caller_that_does_not_wait_finds_the_checks_in_the_finished_job(
    client: TestClient, audited_workspace: Workspace
) -> None:
    images = [training_original(audited_workspace), BAD[0], png(12345)]
    headers = {"Prefer": "respond-async, wait=10", "Idempotency-Key": "later"}
    answer = post_checks(client, images, **headers)
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "respond-async")
    location = answer.headers["Location"]
    assert (answer.json()["total"], answer.json()["checks"]) == (3, None)
    job = wait_for_job(client, location)
    assert (job["state"], job["done"], job["counts"]) == ("done", 3, {"flag": 1, "refused": 1, "clear": 1})
    assert [one["check"] and one["check"]["decision"] for one in job["checks"]] == ["flag", None, "clear"]
    assert job["checks"][1]["problem"]["code"] == "image_damaged"
    for one in (job["checks"][0], job["checks"][2]):
        verify_receipt(one["check"]["receipt"], audited_workspace.log.vkey)
    again = post_checks(client, images, **headers)
    assert again.headers["Location"] == location
    assert sorted(decided(audited_workspace)) == sorted(one["check"]["id"] for one in job["checks"] if one["check"])
    assert client.get(location.replace("/v1/checks/jobs/", "/v1/jobs/")).json()["kind"] == "checks"
    alone = post_json(client, {"model": "model-a", "image": encoded(png(4))}, Prefer="respond-async")
    assert [one["check"]["decision"] for one in wait_for_job(client, alone.headers["Location"])["checks"]] == ["clear"]
    assert client.get("/v1/checks/jobs/nothing").status_code == 404


def test_checks_are_listed_newest_first_and_filtered(client: TestClient, audited_workspace: Workspace) -> None:
    flagged = post_checks(client, [training_original(audited_workspace)]).json()
    clear = [post_checks(client, [png(seed)]).json()["id"] for seed in range(12_343, 12_347)]
    whole = client.get("/v1/checks").json()
    assert [one["id"] for one in whole["items"]] == [*clear[::-1], flagged["id"]]
    assert whole["next_cursor"] is None
    first = client.get("/v1/checks", params={"limit": 3}).json()
    rest = client.get("/v1/checks", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [*first["items"], *rest["items"]] == whole["items"]
    [only] = client.get("/v1/checks", params={"decision": "flag", "model": "model-a"}).json()["items"]
    assert (only["item"], only["score"], only["p_value"]) == (flagged["match"]["id"], flagged["score"], flagged["p_value"])
    digest = {"generation_sha256": flagged["generation_sha256"]}
    assert [one["id"] for one in client.get("/v1/checks", params=digest).json()["items"]] == [flagged["id"]]
    assert client.get("/v1/checks", params={"model": "none"}).status_code == 404
    assert client.get("/v1/checks", params={"cursor": "%%"}).json()["code"] == "cursor_invalid"
    with audited_workspace.reading() as session:
        assert session.exec(select(func.count()).select_from(Check)).one() == 5


def test_an_image_too_large_is_the_problem_of_its_place(client: TestClient, audited_workspace: Workspace) -> None:
    too_large = bytes(audited_workspace.limits.max_bytes + 1)
    for headers in ({}, {"Prefer": "respond-async"}):
        answer = post_checks(client, [too_large, encode(picture(3))], **headers)
        body = answer.json() if answer.status_code == 207 else wait_for_job(client, answer.headers["Location"])
        assert [one["problem"] and one["problem"]["code"] for one in body["checks"]] == ["image_too_large", None]
