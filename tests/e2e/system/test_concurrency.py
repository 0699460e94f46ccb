"""Many requests at once over a real socket: one effect for one key, one decision for every check, one log without gaps."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlmodel import select

from services.demo.gate_client import running_server
from services.ingest.registration.service import prepare_item, record_item
from services.output_gate.completeness.count import CompletenessCount
from shared.ledger.entries import parse_entry
from shared.ledger.verify import verify_log, verify_receipt
from shared.records.checks import Check
from shared.records.items import Item
from shared.workspace import Workspace
from tests.support.factories import png, registration
from tests.support.gate_client import wait_for_job

AT_ONCE = 50
# For a machine that runs other tests at the same time.
SLACK_SECONDS = 2.0

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of uvicorn's websocket protocol, not used here


@pytest.fixture
def any_client(any_audited_workspace: Workspace) -> Iterator[httpx.Client]:
    with running_server(any_audited_workspace.settings) as opened:
        yield opened


@pytest.fixture
def client(audited_workspace: Workspace) -> Iterator[httpx.Client]:
    with running_server(audited_workspace.settings) as opened:
        yield opened


def check(client: httpx.Client, seed: int, key: str | None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    files = {"image": ("x.png", png(seed), "image/png")}
    return client.post("/v1/checks", files=files, data={"model": "model-a"}, headers=headers)


def test_fifty_checks_with_one_key_have_one_effect(any_client: httpx.Client, any_audited_workspace: Workspace) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: check(any_client, 700, "same"), range(AT_ONCE)))
    assert Counter(answer.status_code for answer in answers) == {201: AT_ONCE}
    assert len({answer.json()["id"] for answer in answers}) == 1
    with any_audited_workspace.reading() as session:
        assert len(session.exec(select(Check)).all()) == 1


def test_many_requests_for_one_batch_decide_each_image_once(
    any_client: httpx.Client, any_audited_workspace: Workspace
) -> None:
    def ask(number: int) -> httpx.Response:
        files = [("image", (f"{seed}.png", png(seed), "image/png")) for seed in (710, 711, 712)]
        headers = {"Idempotency-Key": "later" if number % 2 else "now"} | ({"Prefer": "respond-async"} if number % 2 else {})
        return any_client.post("/v1/checks", files=files, data={"model": "model-a"}, headers=headers)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(16)))
    assert Counter(answer.status_code for answer in answers) == {201: 8, 202: 8}
    now = {tuple(place["check"]["id"] for place in answer.json()["checks"]) for answer in answers if answer.status_code == 201}
    [location] = {answer.headers["Location"] for answer in answers if answer.status_code == 202}
    job = wait_for_job(any_client, location)
    assert len(now) == 1
    with any_audited_workspace.reading() as session:
        made = {check.id for check in session.exec(select(Check)).all()}
    assert made == {*next(iter(now)), *(place["check"]["id"] for place in job["checks"])}
    assert len(made) == 6
    assert CompletenessCount(any_audited_workspace).bring_up().is_complete


def test_fifty_registrations_of_one_item_make_one(client: httpx.Client, audited_workspace: Workspace) -> None:
    def register(_number: int) -> httpx.Response:
        record = registration("same.png", dataset="new").model_dump_json()
        return client.post("/v1/items", files={"image": ("x.png", png(701), "image/png")}, data={"record": record})

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(register, range(AT_ONCE)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: AT_ONCE - 1}
    assert len({answer.json()["item"]["id"] for answer in answers}) == 1
    with audited_workspace.reading() as session:
        assert len(session.exec(select(Item).where(Item.dataset == "new")).all()) == 1


def test_many_checks_at_once_are_each_decided_logged_and_proved(client: httpx.Client, audited_workspace: Workspace) -> None:
    before = audited_workspace.log.size
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = [answer.json() for answer in pool.map(lambda seed: check(client, seed, None), range(800, 800 + AT_ONCE))]
    for answer in answers:
        assert verify_receipt(answer["receipt"], audited_workspace.log.vkey).entry.subject["check"] == answer["id"]
    entries = [parse_entry(data) for _, data in audited_workspace.log.entries_since(before, 10_000)]
    decided = [entry.subject["check"] for entry in entries if entry.type == "check.decided"]
    assert sorted(decided) == sorted(answer["id"] for answer in answers)
    flagged = {answer["id"] for answer in answers if answer["decision"] == "flag"}
    assert {entry.subject["check"] for entry in entries if entry.type == "flag.raised"} == flagged
    verify_log(audited_workspace.log.folder, audited_workspace.log.vkey)


def test_what_another_process_appends_is_under_a_checkpoint_within_a_second(
    client: httpx.Client, audited_workspace: Workspace
) -> None:
    size = audited_workspace.log.size
    prepared = prepare_item(registration("late.png"), png(702), audited_workspace.blobs, audited_workspace.limits)
    with audited_workspace.writing() as session:
        record_item(session, prepared)
    committed = time.monotonic()
    while int(client.get("/checkpoint").text.splitlines()[1]) == size:
        assert time.monotonic() - committed < 1.0 + SLACK_SECONDS
        time.sleep(0.02)
    assert int(client.get("/checkpoint").text.splitlines()[1]) == size + 1
