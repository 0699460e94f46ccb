"""What holds a flag, on both databases: contested owners, owners nobody knows, a person; and how it is released."""

from typing import Any

from fastapi.testclient import TestClient
from sqlmodel import select

from services.ingest.lifecycle.erasure import ERASED, erase_party
from services.output_gate.flags.service import build_flag_answer
from shared.auth.caller import Caller, acting_as
from shared.ledger.body_fields import EMBEDDED_BASIS
from shared.records.flags import load_flag
from shared.records.items import Item
from shared.records.parties import Party
from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.support.flag_client import OWNERS, raised, review, step
from tests.support.gate_records import FLAGGED, GateWorld, build_world, gate_client
from tests.support.log_entries import open_entries_after


def test_a_contest_holds_the_amount_until_a_reasoned_release(client: TestClient, world: GateWorld) -> None:
    flag = raised(world)
    review(client, flag)
    step(client, flag, "notify", "compliance")
    step(client, flag, "accept", "owner")
    assert client.get(f"/v1/flags/{flag}").json()["held"] is None
    # The same bytes come from elsewhere and name somebody else: after the flag was accepted.
    register(world.workspace, "again.png", png(0), owners=[OWNERS[1]])
    shown = client.get(f"/v1/flags/{flag}").json()
    assert (shown["held"], shown["next_steps"]) == ("contested_ownership", ["release", "waive"])
    assert step(client, flag, "pay", "finance").json()["code"] == "flag_held"
    assert step(client, flag, "release", "compliance").status_code == 422
    released = step(client, flag, "release", "compliance", reason="the publisher withdrew the claim").json()
    assert (released["held"], released["state"]) == (None, "accepted")
    assert step(client, flag, "pay", "finance").json()["state"] == "paid"
    # A flag that is raised while the contest lasts says so from the beginning.
    other = client.get(f"/v1/flags/{raised(world)}").json()
    assert other["held"] == "contested_ownership"
    assert [entry.body["held"] for entry in open_entries_after(world.workspace, 0) if entry.type == "flag.raised"] == [
        None,
        "contested_ownership",
    ]


def test_an_owner_on_hold_is_not_paid(client: TestClient, world: GateWorld) -> None:
    flag = raised(world)
    review(client, flag)
    assert step(client, flag, "hold", "finance", reason="bank details are wrong").json()["held"] == "on_hold"
    assert step(client, flag, "hold", "finance", reason="again").json()["code"] == "flag_held"
    step(client, flag, "notify", "compliance")
    step(client, flag, "dispute", "owner", reason="too little")
    assessed = step(client, flag, "assess", "compliance", reason="settled", currency="USD", amount_minor=7).json()
    assert (assessed["currency"], [one["amount_minor"] for one in assessed["owners"]]) == ("USD", [3, 2, 2])
    assert step(client, flag, "pay", "finance").json()["code"] == "flag_held"
    step(client, flag, "release", "compliance", reason="details came")
    assert step(client, flag, "pay", "finance").json()["amount_minor"] == 7


def test_without_an_owner_the_amount_waits_for_one(any_workspace: Workspace) -> None:
    world = build_world(any_workspace, owners=[])
    with gate_client(world) as client:
        flag = raised(world)
        shown = client.get(f"/v1/flags/{flag}").json()
        assert (shown["owners"], shown["held"], shown["amount_minor"]) == ([], "owner_unknown", 10_001)
        review(client, flag)
        refused = step(client, flag, "release", "compliance", reason="we want it off the list")
        assert (refused.status_code, refused.json()["code"]) == (409, "owner_unknown")
        found = {"reason": "the owner wrote to us", "owners": [OWNERS[0]]}
        assert client.post(f"/v1/items/{world.items[0].id}/amendments", json=found).status_code == 201
        released = step(client, flag, "release", "compliance", reason="the owner wrote to us").json()
        assert [(one["name"], one["amount_minor"]) for one in released["owners"]] == [("Olga Owner", 10_001)]
        assert released["held"] is None


def near_duplicate(world: GateWorld, key: str, seed: int, **changed: Any) -> Item:
    """An item of other bytes; that it is a near duplicate is the manifest's word, which checks carry."""
    return register(world.workspace, key, png(seed), **changed)


def test_near_duplicates_that_name_others_hold_the_amount_until_a_reasoned_release(
    client: TestClient, world: GateWorld
) -> None:
    same = near_duplicate(world, "same-owner.png", 50, owners=[OWNERS[0]])
    other = near_duplicate(world, "other-owner.png", 51, owners=[OWNERS[1], {**OWNERS[0], "name": "Nora Newcomer"}])
    agreed = client.get(f"/v1/flags/{raised(world, cluster=[same])}").json()
    assert (agreed["held"], agreed["other_owners"]) == (None, [])

    flag = raised(world, cluster=[same, other])
    shown = client.get(f"/v1/flags/{flag}").json()
    assert shown["held"] == "contested_cluster"
    assert [(one["name"], one["items"]) for one in shown["other_owners"]] == [("Nora Newcomer", [other.id])]
    assert [one["name"] for one in shown["owners"]] == ["Olga Owner", "Peter Publisher", "Lea Licensor"]
    assert open_entries_after(world.workspace, 0)[-1].body["held"] == "contested_cluster"
    match = client.get(f"/v1/checks/{shown['check_id']}").json()
    assert [(one["name"], one["items"], one["contests"]) for one in match["cluster_owners"]] == [
        ("Olga Owner", 2, False),
        ("Peter Publisher", 2, False),
        ("Lea Licensor", 1, False),
        ("Nora Newcomer", 1, True),
    ]
    review(client, flag)
    step(client, flag, "notify", "compliance")
    step(client, flag, "accept", "owner")
    assert step(client, flag, "pay", "finance").json()["code"] == "flag_held"
    assert {row["held"] for row in client.get("/v1/payables").json()["items"] if row["flag_id"] == flag} == {
        "contested_cluster"
    }
    released = step(client, flag, "release", "compliance", reason="Nora's is a repost").json()
    assert (released["held"], released["other_owners"][0]["name"]) == (None, "Nora Newcomer")
    assert open_entries_after(world.workspace, 0)[-1].body["released"] == "contested_cluster"
    # A contest by equal bytes is another one, and holds again.
    register(world.workspace, "again.png", png(0), owners=[OWNERS[1]])
    assert client.get(f"/v1/flags/{flag}").json()["held"] == "contested_ownership"
    step(client, flag, "release", "compliance", reason="withdrawn")
    assert step(client, flag, "pay", "finance").json()["state"] == "paid"


def test_a_near_duplicate_contests_as_long_as_it_names_somebody_else(client: TestClient, world: GateWorld) -> None:
    nora = {**OWNERS[0], "name": "Nora Newcomer"}
    named_by_file = near_duplicate(world, "by-file.png", 60, owners=[{**nora, "basis": EMBEDDED_BASIS}])
    other = near_duplicate(world, "other.png", 61, owners=[OWNERS[0]])
    flag = raised(world, cluster=[named_by_file, other])
    assert client.get(f"/v1/flags/{flag}").json()["held"] is None
    # Both the duplicate's owner and the item's may be put right later: what is presumed by now counts.
    amended = {"reason": "the owner wrote to us", "owners": [nora]}
    assert client.post(f"/v1/items/{other.id}/amendments", json=amended).status_code == 201
    assert client.get(f"/v1/flags/{flag}").json()["held"] == "contested_cluster"
    both = {"reason": "the owner wrote to us", "owners": [OWNERS[0], nora]}
    assert client.post(f"/v1/items/{world.items[0].id}/amendments", json=both).status_code == 201
    assert client.get(f"/v1/flags/{flag}").json()["held"] is None
    assert client.post(f"/v1/items/{world.items[0].id}/amendments", json=amended | {"owners": [OWNERS[0]]}).status_code == 201
    assert client.get(f"/v1/flags/{flag}").json()["held"] == "contested_cluster"
    with world.workspace.reading() as session, acting_as(Caller("k", frozenset({"flags:owner"}), "p")):
        own = build_flag_answer(session, load_flag(session, flag))
    assert (own.held, own.other_owners) == ("contested_cluster", [])
    gone = client.post(f"/v1/items/{other.id}/withdrawal", json={"reason": "opt-out"})
    assert gone.status_code == 201, gone.text
    assert client.get(f"/v1/flags/{flag}").json()["held"] is None


def test_of_an_erased_owner_of_a_near_duplicate_the_name_is_gone(client: TestClient, world: GateWorld) -> None:
    other = near_duplicate(world, "other.png", 61, owners=[{**OWNERS[0], "name": "Nora Newcomer"}])
    check = world.decided(FLAGGED, cluster=[other])
    assert "Nora" not in str(check.result)
    with world.workspace.writing() as session:
        erase_party(session, session.exec(select(Party).where(Party.name == "Nora Newcomer")).one().id, "a request")
    shown = client.get(f"/v1/checks/{check.id}").json()
    assert [one["name"] for one in shown["cluster_owners"] if one["contests"]] == [ERASED]
    assert "Nora" not in client.get(f"/v1/flags/{shown['flag_id']}").text
