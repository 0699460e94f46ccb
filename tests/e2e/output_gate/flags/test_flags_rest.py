"""Flags over REST, on both databases: from check to payment or waiver, each step an entry, none twice or out of turn."""

from fastapi.testclient import TestClient
from sqlmodel import select

from services.ingest.lifecycle.erasure import erase_party
from shared.http.paging import encode_cursor
from shared.ledger.commitments import verify_commitment
from shared.ledger.verify import verify_receipt
from shared.records.committed_entries import Commitment
from shared.records.flags import FlagStep
from shared.records.parties import Party
from tests.support.flag_client import raised, review, step
from tests.support.gate_records import POLICY, GateWorld
from tests.support.ingest_client import entries_after
from tests.support.log_entries import open_entries_after


def test_a_flag_is_followed_to_its_payment_and_every_step_is_proved(client: TestClient, world: GateWorld) -> None:
    size = world.workspace.log.size
    flag = raised(world)
    shown = client.get(f"/v1/flags/{flag}").json()
    assert (shown["state"], shown["held"], shown["currency"], shown["amount_minor"]) == ("raised", None, "EUR", 10_001)
    assert [(one["name"], one["share"], one["amount_minor"]) for one in shown["owners"]] == [
        ("Olga Owner", 0.333334, 3334),
        ("Peter Publisher", 0.333333, 3334),
        ("Lea Licensor", 0.333333, 3333),
    ]
    assert shown["next_steps"] == ["confirm", "overturn", "hold"]
    assert [one["id"] for one in client.get("/v1/reviews").json()["items"]] == [flag]
    review(client, flag, name="Rita Reviewer", note="the same harbour")
    assert client.get("/v1/reviews").json()["items"] == []
    step(client, flag, "notify", "compliance")
    step(client, flag, "accept", "owner")
    paid = step(client, flag, "pay", "finance", note="transfer 17")
    assert (paid.status_code, paid.json()["state"], paid.json()["next_steps"]) == (201, "paid", [])
    assert paid.headers["ETag"] == client.get(f"/v1/flags/{flag}").headers["ETag"]
    assert [one["state"] for one in paid.json()["steps"]] == ["reviewed", "notified", "accepted", "paid"]

    entries = entries_after(world.workspace, size)
    types = ["check.decided", "flag.raised", "flag.reviewed", "flag.notified", "flag.answered", "flag.resolved"]
    assert [entry.type for entry in entries] == types
    history = client.get(f"/v1/flags/{flag}/history").json()["entries"]
    assert [entry["type"] for entry in history] == types
    for entry, proved in zip(entries, history, strict=True):
        assert verify_receipt(proved["receipt"], world.workspace.log.vkey).entry == entry
        for name in ("Rita", "harbour", "transfer", "Olga"):
            assert name.encode() not in entry.canonical_bytes()
    assert history[2]["opened"] == {"actor.name": "Rita Reviewer", "note": "the same harbour"}
    assert open_entries_after(world.workspace, 0)[-1].body == {
        "role": "finance",
        "outcome": "paid",
        "reason": None,
        "currency": "EUR",
        "amount_minor": 10_001,
    }
    counted = client.get("/v1/completeness").json()
    assert (counted["complete"], counted["flags"], counted["open_flags"]) == (True, 1, 0)
    with world.workspace.reading() as session:
        opened = session.exec(select(Commitment).where(Commitment.field == "note")).all()
    by_value = {entry.commitments["note"] for entry in entries if "note" in entry.commitments}
    assert len(opened) == len(by_value) == 2
    for one in opened:
        assert any(_holds(one, commitment) for commitment in by_value)


def _holds(opening: Commitment, commitment: str) -> bool:
    try:
        verify_commitment(opening.value, opening.salt, commitment)
    except Exception:
        return False
    return True


def test_what_the_state_does_not_allow_is_a_conflict_and_changes_nothing(client: TestClient, world: GateWorld) -> None:
    flag = raised(world)
    size = len(entries_after(world.workspace, 0))
    for name, role, status, code in (
        ("notify", "compliance", 409, "step_not_allowed"),
        ("pay", "finance", 409, "step_not_allowed"),
        ("release", "compliance", 409, "flag_not_held"),
        ("pay", "owner", 422, "role_not_allowed"),
        ("accept", "finance", 422, "role_not_allowed"),
        ("confirm", "reviewer", 422, "invalid_request"),
    ):
        refused = step(client, flag, name, role, reason="because")
        assert (refused.status_code, refused.json()["code"]) == (status, code), name
    for name, more in (
        ("waive", {}),
        ("assess", {"reason": "r"}),
        ("assess", {"reason": "r", "currency": "EUR"}),
        ("notify", {"currency": "EUR"}),
        ("notify", {"colour": "red"}),
    ):
        assert step(client, flag, name, "compliance", **more).status_code == 422, (name, more)
    assert review(client, flag, "overturn").json()["code"] == "reason_missing"
    assert step(client, "nothing", "notify", "compliance").json()["code"] == "flag_not_found"
    assert len(entries_after(world.workspace, 0)) == size
    assert review(client, flag, "overturn", reason="a common motif").json()["state"] == "overturned"
    for name in ("notify", "hold", "waive"):
        assert step(client, flag, name, "compliance", reason="licensed").json()["code"] == "step_not_allowed"
    assert review(client, flag).json()["code"] == "step_not_allowed"


def test_only_a_reason_of_the_policy_waives(client: TestClient, world: GateWorld) -> None:
    flag = raised(world)
    review(client, flag)
    assert step(client, flag, "waive", "compliance", reason="we would rather not").json()["code"] == "waiver_reason"
    waived = step(client, flag, "waive", "compliance", reason="licensed").json()
    assert (waived["state"], waived["amount_minor"]) == ("waived", 10_001)
    body = open_entries_after(world.workspace, 0)[-1].body
    assert (body["outcome"], body["reason"]) == ("waived", "licensed")


def test_one_key_is_one_step_and_a_stale_tag_none(client: TestClient, world: GateWorld) -> None:
    flag = raised(world)
    seen = client.get(f"/v1/flags/{flag}").headers["ETag"]
    first = review(client, flag, headers={"Idempotency-Key": "k", "If-Match": seen})
    again = review(client, flag, headers={"Idempotency-Key": "k", "If-Match": seen})
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    stale = step(client, flag, "notify", "compliance", headers={"If-Match": seen})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    for _ in range(3):
        answer = step(
            client, flag, "notify", "compliance", headers={"Idempotency-Key": "n", "If-Match": first.headers["ETag"]}
        )
        assert (answer.status_code, answer.json()["state"]) == (201, "notified")
    assert step(client, flag, "accept", "owner", headers={"Idempotency-Key": "n"}).json()["code"] == "idempotency_key_reused"
    with world.workspace.reading() as session:
        assert [one.step for one in session.exec(select(FlagStep)).all()] == ["confirm", "notify"]


def test_flags_are_listed_and_filtered(client: TestClient, world: GateWorld) -> None:
    flags = [raised(world, at) for at in (0, 1, 0)]
    review(client, flags[1])
    assert [one["id"] for one in client.get("/v1/flags").json()["items"]] == flags
    assert [one["id"] for one in client.get("/v1/flags", params={"state": "reviewed"}).json()["items"]] == [flags[1]]
    of_item = client.get("/v1/flags", params={"item": world.items[0].id, "limit": 1}).json()
    more = client.get("/v1/flags", params={"item": world.items[0].id, "cursor": of_item["next_cursor"]}).json()
    assert [of_item["items"][0]["id"], *(one["id"] for one in more["items"])] == [flags[0], flags[2]]
    assert client.get("/v1/flags", params={"cursor": "?"}).json()["code"] == "cursor_invalid"
    etag = client.get(f"/v1/flags/{flags[0]}").headers["ETag"]
    assert client.get(f"/v1/flags/{flags[0]}", headers={"If-None-Match": etag}).status_code == 304


def test_an_erased_owner_and_reviewer_are_gone_and_every_proof_stays(client: TestClient, world: GateWorld) -> None:
    flag = raised(world)
    review(client, flag, name="Rita Reviewer", note="Olga Owner wrote to us")
    with world.workspace.writing() as session:
        for name in ("Olga Owner", "Rita Reviewer"):
            erase_party(session, session.exec(select(Party).where(Party.name == name)).one().id, "a request")
    history = client.get(f"/v1/flags/{flag}/history")
    assert [entry["opened"] for entry in history.json()["entries"]] == [{}, {}, {}]
    assert "Olga" not in history.text + client.get(f"/v1/flags/{flag}").text
    for entry in history.json()["entries"]:
        verify_receipt(entry["receipt"], world.workspace.log.vkey)


def test_what_makes_no_sense_is_a_problem_and_nothing_is_recorded(client: TestClient, world: GateWorld) -> None:
    flag, size = raised(world), len(entries_after(world.workspace, 0))
    toml = {"Content-Type": "application/toml"}
    deep = "a = " + "[" * 50_000
    answers = {
        "NUL in an id": client.get("/v1/flags/%00"),
        "NUL in a step's id": step(client, "%00", "notify", "compliance"),
        "NUL in a reason": step(client, flag, "hold", "compliance", reason="a\0b"),
        "NUL in a name": review(client, flag, name="a\0b"),
        "NUL in an item": client.get("/v1/flags", params={"item": "a\0b"}),
        "NUL in a cursor": client.get("/v1/payables", params={"cursor": encode_cursor("\0")}),
        "cursor that is none": client.get("/v1/reviews", params={"cursor": "!"}),
        "state that is none": client.get("/v1/payables", params={"state": "owed"}),
        "huge amount": step(client, flag, "assess", "finance", reason="r", currency="EUR", amount_minor=2**60),
        "amount that is no number": step(client, flag, "assess", "finance", reason="r", currency="EUR", amount_minor="much"),
        "huge reason": step(client, flag, "hold", "compliance", reason="x" * 2001),
        "NUL in a policy": client.post("/v1/policies", json={"name": "a\0b", "version": 1}),
        "deep policy": client.post("/v1/policies", content=deep, headers=toml),
        "deep policy in JSON": client.post("/v1/policies", content="[" * 50_000, headers={"Content-Type": "application/json"}),
        "endless rate": client.post("/v1/policies/dry-runs", json=POLICY | {"version": 2**40}),
        "rate that is no number": client.post("/v1/policies", content="false_positive_rate = nan", headers=toml),
        "NUL in a webhook": client.post("/v1/webhooks", json={"url": "https://a\0b/", "events": ["flag.raised"]}),
        "a webhook's id": client.delete("/v1/webhooks/%00"),
    }
    wrong = {
        name: (answer.status_code, answer.text[:200])
        for name, answer in answers.items()
        if not 400 <= answer.status_code < 500 or answer.headers["content-type"] != "application/problem+json"
    }
    assert not wrong
    assert len(entries_after(world.workspace, 0)) == size
