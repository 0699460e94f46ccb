"""What a creator's key sees: the items and flags that name its party; of others what anyone may see, and no person's name."""

import base64
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from shared.records.flags import Flag
from shared.records.jobs import add_job
from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.support.gate_records import FLAGGED, GateWorld, build_world
from tests.support.keys import bearer, keyed_client, make_key, party_named

OLGA = [
    {"name": "Olga Owner", "basis": "dataset metadata", "confidence": 0.9},
    {"name": "Paula Publisher", "role": "publisher", "basis": "dataset metadata", "confidence": 0.3},
]
PETER = [{"name": "Peter Painter", "basis": "dataset metadata", "confidence": 0.9}]
PUBLIC = {"id", "licence", "state"}


@dataclass
class Seen:
    """A served world with items and flags of two people, and one's key."""

    world: GateWorld
    client: TestClient
    own: str
    other: str
    key: str

    def get(self, path: str, key: str | None = None, **headers: str) -> Any:
        return self.client.get(path, headers=bearer(key or self.key) | headers)


@pytest.fixture
def seen(any_workspace: Workspace) -> Iterator[Seen]:
    world = build_world(any_workspace, owners=OLGA)
    other = register(any_workspace, "other.png", png(77), owners=PETER, acquirer="Anna Acquirer")
    key = make_key(any_workspace, "items:own", "flags:owner", party=party_named(any_workspace, "Olga Owner"))
    with keyed_client(any_workspace, world.gate) as client:
        yield Seen(world, client, world.items[0].id, other.id, key)


def tells_nobody(text: str) -> bool:
    return not any(name in text for name in ("Peter", "Anna"))


def test_items_of_others_are_shown_as_to_anyone(seen: Seen) -> None:
    own_item, other_item = seen.get(f"/v1/items/{seen.own}").json(), seen.get(f"/v1/items/{seen.other}")
    assert own_item["acquirer"] == "Ada Acquirer"
    assert {owner["name"] for owner in own_item["owners"]} == {"Olga Owner", "Paula Publisher"}
    assert other_item.json() == {"id": seen.other, "licence": "CC-BY-4.0", "state": "active"}
    for page in ("history", "signals", "archival-link", "diligence"):
        assert seen.get(f"/v1/items/{seen.own}/{page}").status_code == 200
        answer = seen.get(f"/v1/items/{seen.other}/{page}")
        assert (answer.status_code, answer.json()["code"]) == (403, "item_not_yours")
    assert seen.get("/v1/items/0198c0de-0000-7000-8000-000000000000/history").json()["code"] == "item_not_found"
    assert seen.get(f"/v1/items/{seen.other}/receipt").status_code == 200
    listed = seen.get("/v1/items?limit=2").json()
    assert {item["id"] for item in listed["items"]} < {item.id for item in seen.world.items}
    assert tells_nobody(other_item.text)
    everything = make_key(seen.world.workspace, "items:read")
    assert seen.get(f"/v1/items/{seen.other}", everything).json()["acquirer"] == "Anna Acquirer"
    assert len(seen.get("/v1/items", everything).json()["items"]) == 4


def test_searches_show_the_match_and_of_others_no_more(seen: Seen) -> None:
    for picture, item_id, is_own in ((png(0), seen.own, True), (png(77), seen.other, False)):
        answer = seen.client.post("/v1/items/search", files={"image": picture}, headers=bearer(seen.key))
        [match] = [match for match in answer.json()["matches"] if match["kind"] == "exact"]
        assert match["item"]["id"] == item_id
        assert (set(match["item"]) == PUBLIC) != is_own
        assert tells_nobody(answer.text)


def test_the_nearest_items_are_shown_with_their_figures(seen: Seen) -> None:
    seen.world.gate.indexer.catch_up()
    answer = seen.client.post("/v1/search", files={"image": png(77)}, headers=bearer(seen.key))
    near = {item["item"]["id"]: item for item in answer.json()["items"]}
    assert set(near[seen.other]["item"]) == PUBLIC
    assert near[seen.other]["cosine"] > 0.99
    assert near[seen.other]["metrics"]["identical"]
    assert near[seen.own]["item"]["owners"][0]["name"] == "Olga Owner"
    assert tells_nobody(answer.text)


def flags(seen: Seen) -> tuple[str, str]:
    """A flag that names the key's party, and one that names another alone."""
    checks = [seen.world.decided(FLAGGED, at).id for at in (0, 1)]
    peter = party_named(seen.world.workspace, "Peter Painter")
    with seen.world.workspace.writing() as session:
        own_flag, other_flag = (session.exec(select(Flag).where(Flag.check_id == check)).one() for check in checks)
        other_flag.shares = [share | {"party": peter} for share in other_flag.shares[:1]]
        session.add(other_flag)
        return own_flag.id, other_flag.id


def test_flags_that_name_the_party_and_no_others(seen: Seen) -> None:
    own_flag, other_flag = flags(seen)
    assert [flag["id"] for flag in seen.get("/v1/flags").json()["items"]] == [own_flag]
    assert seen.get(f"/v1/flags/{own_flag}").status_code == 200
    for page in ("", "/history"):
        answer = seen.get(f"/v1/flags/{other_flag}{page}")
        assert (answer.status_code, answer.json()["code"]) == (403, "flag_not_yours")
    assert {row["owner"] for row in seen.get("/v1/payables").json()["items"]} == {"Olga Owner"}
    rows = list(csv.DictReader(io.StringIO(seen.get("/v1/payables", Accept="text/csv").text)))
    assert {(row["owner"], row["flag_id"]) for row in rows} == {("Olga Owner", own_flag)}
    assert seen.get("/v1/reviews").json()["code"] == "scope_missing"
    all_of_them = make_key(seen.world.workspace, "flags:read")
    assert {flag["id"] for flag in seen.get("/v1/flags", all_of_them).json()["items"]} == {own_flag, other_flag}
    assert {row["owner"] for row in seen.get("/v1/payables", all_of_them).json()["items"]} > {"Peter Painter"}


def test_a_role_asks_for_its_scope_and_an_owner_for_the_own_flag(seen: Seen) -> None:
    own_flag, other_flag = flags(seen)
    reviewer, compliance = (make_key(seen.world.workspace, f"flags:{role}") for role in ("review", "compliance"))

    def post(flag: str, path: str, body: dict[str, Any], key: str) -> tuple[int, str | None]:
        answer = seen.client.post(f"/v1/flags/{flag}/{path}", json=body, headers=bearer(key))
        return answer.status_code, answer.json().get("code")

    names = {"name": "Rita Reviewer", "note": "seen on paper"}
    for flag in (own_flag, other_flag):
        assert post(flag, "reviews", {"verdict": "confirm"}, compliance) == (403, "scope_missing")
        assert post(flag, "reviews", {"verdict": "confirm"} | names, reviewer) == (201, None)
        assert post(flag, "steps", {"step": "notify", "role": "compliance"}, reviewer) == (403, "role_not_held")
        assert post(flag, "steps", {"step": "notify", "role": "compliance"}, compliance) == (201, None)
        assert post(flag, "steps", {"step": "accept", "role": "compliance"}, seen.key) == (403, "role_not_held")
    assert post(other_flag, "steps", {"step": "accept", "role": "owner"}, seen.key) == (403, "flag_not_yours")
    assert post(own_flag, "steps", {"step": "accept", "role": "owner"}, compliance) == (403, "role_not_held")
    assert post(own_flag, "steps", {"step": "accept", "role": "owner"}, seen.key) == (201, None)
    assert post(own_flag, "steps", {"step": "pay", "role": "finance"}, seen.key) == (403, "role_not_held")
    assert "Rita" not in seen.get(f"/v1/flags/{own_flag}/history").text
    assert "Rita" in seen.get(f"/v1/flags/{own_flag}/history", reviewer).text


def test_jobs_are_seen_by_who_asked_for_them_and_by_who_may_read_them(seen: Seen) -> None:
    with seen.world.workspace.writing() as session:
        audit, capture = (add_job(session, kind, {}).id for kind in ("model.audit", "archive.capture"))
    auditor = make_key(seen.world.workspace, "audits:run")
    assert [job["id"] for job in seen.get("/v1/jobs", auditor).json()["items"]] == [audit]
    assert seen.get(f"/v1/jobs/{audit}", auditor).status_code == 200
    assert seen.get(f"/v1/jobs/{capture}", auditor).json()["code"] == "job_not_yours"
    answer = seen.client.post(f"/v1/jobs/{capture}/cancel", headers=bearer(auditor))
    assert (answer.status_code, answer.json()["code"]) == (403, "job_not_yours")
    assert seen.get("/v1/jobs").json()["code"] == "scope_missing"


def test_a_job_of_checks_is_seen_by_its_own_key_alone(seen: Seen) -> None:
    mine, other, reader = (make_key(seen.world.workspace, scope) for scope in ("checks:write", "checks:write", "outputs:read"))
    body = {"model": "model-a", "images": [{"data": base64.b64encode(png(1)).decode()}]}
    queued = seen.client.post("/v1/checks", json=body, headers=bearer(mine) | {"Prefer": "respond-async"})
    assert queued.status_code == 202, queued.text
    job_id = queued.json()["id"]
    places = (f"/v1/jobs/{job_id}", f"/v1/checks/jobs/{job_id}")
    assert [seen.get(place, key).status_code for key in (mine, reader) for place in places] == [200] * 4
    assert [seen.get(place, other).json()["code"] for place in places] == ["job_not_yours"] * 2
    listed = [[job["id"] for job in seen.get("/v1/jobs", key).json()["items"]] for key in (mine, reader, other)]
    assert listed == [[job_id], [job_id], []]
    cancel = f"/v1/jobs/{job_id}/cancel"
    assert seen.client.post(cancel, headers=bearer(other)).json()["code"] == "job_not_yours"
    assert seen.client.post(cancel, headers=bearer(reader)).json()["code"] == "scope_missing"
    assert seen.client.post(cancel, headers=bearer(mine)).json()["state"] == "cancelled"
