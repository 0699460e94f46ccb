"""Reviews over REST, on both databases: what is borderline waits for a person, and of several verdicts one has an effect."""

from concurrent.futures import ThreadPoolExecutor

from fastapi.testclient import TestClient

from shared.ledger.verify import verify_receipt
from tests.support.flag_client import raised
from tests.support.gate_records import BORDERLINE, CLEAR, GateWorld
from tests.support.ingest_client import entries_after


def test_of_reviewers_at_once_one_has_an_effect(client: TestClient, world: GateWorld) -> None:
    flag, close = raised(world), world.decided(BORDERLINE).id

    def post(number: int) -> tuple[str, int]:
        verdict = {"verdict": "confirm" if number % 2 else "overturn", "reason": "seen"}
        subject = f"/v1/flags/{flag}" if number < 6 else f"/v1/checks/{close}"
        return subject, client.post(f"{subject}/reviews", json=verdict).status_code

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(post, range(12)))
    for subject in {one for one, _ in found}:
        assert sorted(status for one, status in found if one == subject) == [201, 409, 409, 409, 409, 409]
    types = [entry.type for entry in entries_after(world.workspace, 0)]
    assert types.count("check.reviewed") == 1
    assert types.count("flag.reviewed") == types.count("flag.raised")


def test_a_borderline_check_waits_for_a_person_and_is_never_clear(client: TestClient, world: GateWorld) -> None:
    one, other, clear = world.decided(BORDERLINE), world.decided(BORDERLINE, 1), world.decided(CLEAR)
    assert [(check.decision, check.result["reason"]) for check in (one, other, clear)] == [
        ("undecided", "borderline"),
        ("undecided", "borderline"),
        ("clear", "within_control"),
    ]
    first = client.get("/v1/reviews", params={"limit": 1}).json()
    second = client.get("/v1/reviews", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [first["items"][0]["id"], second["items"][0]["id"], second["next_cursor"]] == [one.id, other.id, None]
    assert (first["items"][0]["kind"], first["items"][0]["threshold"]) == ("check", 0.998)
    copy = client.post(f"/v1/checks/{one.id}/reviews", json={"verdict": "confirm", "name": "Rita"}).json()
    flag = client.get(f"/v1/flags/{copy['flag_id']}").json()
    assert (flag["state"], flag["amount_minor"], flag["check_id"]) == ("reviewed", 10_001, one.id)
    history = client.get(f"/v1/flags/{copy['flag_id']}/history").json()["entries"]
    assert [entry["type"] for entry in history] == ["check.decided", "check.reviewed", "flag.raised", "flag.reviewed"]
    verify_receipt(copy["receipt"], world.workspace.log.vkey)
    none = client.post(f"/v1/checks/{other.id}/reviews", json={"verdict": "overturn"}).json()
    assert (none["verdict"], none["flag_id"]) == ("overturn", None)
    assert client.get("/v1/reviews").json()["items"] == []
    for check, code in ((clear.id, "check_not_borderline"), (other.id, "reviewed_already"), ("nothing", "check_not_found")):
        assert client.post(f"/v1/checks/{check}/reviews", json={"verdict": "confirm"}).json()["code"] == code
    # What was answered stays: the verdict stands beside it.
    shown = client.get(f"/v1/checks/{other.id}").json()
    assert (shown["decision"], shown["reason"], shown["review"], shown["flag_id"]) == (
        "undecided",
        "borderline",
        "overturn",
        None,
    )
    shown = client.get(f"/v1/checks/{one.id}").json()
    assert (shown["decision"], shown["review"], shown["flag_id"]) == ("undecided", "confirm", copy["flag_id"])
    assert client.get(f"/v1/checks/{clear.id}").json()["review"] is None
    assert client.get("/v1/completeness").json()["complete"] is True
