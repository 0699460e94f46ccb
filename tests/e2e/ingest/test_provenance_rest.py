"""The input duty over REST on both databases: lists, amendments, withdrawals, history, manifests and their proofs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.output_gate.opening import open_gate
from services.server.app import create_app
from shared.ledger.manifest_proofs import DigestProof, verify_digest_proof
from shared.ledger.verify import verify_receipt
from shared.workspace import Workspace
from tests.support.factories import png, register


@pytest.fixture
def client(any_workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(any_workspace, open_gate(any_workspace)), base_url="http://127.0.0.1") as opened:
        yield opened


@pytest.fixture
def items(any_workspace: Workspace) -> list[str]:
    return [register(any_workspace, f"{number}.png", png(number)).id for number in range(5)]


def test_items_are_listed_in_pages_and_by_filter(client: TestClient, items: list[str]) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = client.get("/v1/items", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == items
    digest = client.get(f"/v1/items/{items[3]}").json()["sha256"]
    assert [item["id"] for item in client.get("/v1/items", params={"sha256": digest}).json()["items"]] == [items[3]]
    assert client.get("/v1/items", params={"dataset": "none"}).json()["items"] == []
    assert client.get("/v1/items", params={"cursor": "!"}).json()["code"] == "cursor_invalid"


def test_an_amendment_is_a_new_entry_and_the_old_one_stays(
    client: TestClient, items: list[str], any_workspace: Workspace
) -> None:
    owners = [{"name": "Nora New", "role": "rightsholder", "basis": "letter of 3 May", "confidence": 0.9}]
    change = {"reason": "the photographer wrote to us", "licence": "cc0-1.0", "owners": owners}
    answer = client.post(f"/v1/items/{items[0]}/amendments", json=change, headers={"Idempotency-Key": "a"})
    assert answer.status_code == 201
    body = answer.json()
    assert (body["licence"], body["title"], [owner["name"] for owner in body["owners"]]) == ("CC0-1.0", "A work", ["Nora New"])
    size = any_workspace.log.size
    assert client.post(f"/v1/items/{items[0]}/amendments", json=change, headers={"Idempotency-Key": "a"}).json() == body
    assert any_workspace.log.integrate().size == size
    history = client.get(f"/v1/items/{items[0]}/history").json()["entries"]
    assert [entry["type"] for entry in history] == ["item.registered", "item.amended"]
    assert history[0]["body"]["licence"] == "CC-BY-4.0"
    for entry in history:
        verified = verify_receipt(entry["receipt"], any_workspace.log.vkey)
        assert verified.entry.type == entry["type"]
        assert b"Nora" not in verified.entry.canonical_bytes()


def test_a_withdrawn_item_is_on_record_and_in_no_later_manifest(client: TestClient, items: list[str]) -> None:
    before = client.post("/v1/manifests", json={"name": "before", "purpose": "train", "dataset": "works"}).json()
    assert before["size"] == 5
    withdrawn = client.post(f"/v1/items/{items[1]}/withdrawal", json={"reason": "the owner opted out"})
    assert withdrawn.json()["state"] == "withdrawn"
    assert client.post("/v1/manifests", json={"name": "after", "purpose": "train", "dataset": "works"}).json()["size"] == 4
    refused = client.post("/v1/manifests", json={"name": "named", "purpose": "train", "items": items})
    assert (refused.status_code, refused.json()["code"]) == (422, "item_not_active")
    assert client.get("/v1/manifests/before").json()["root"] == before["root"]
    for path, body in (("withdrawal", {"reason": "again"}), ("amendments", {"reason": "late", "title": "x"})):
        again = client.post(f"/v1/items/{items[1]}/{path}", json=body)
        assert (again.status_code, again.json()["code"]) == (409, "item_withdrawn")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("amendments", {"reason": "nothing changes"}, 422),
        ("amendments", {"title": "no reason"}, 422),
        ("amendments", {"reason": "x", "licence": "all mine"}, 422),
        ("amendments", {"reason": "x", "colour": "red"}, 422),
        ("withdrawal", {}, 422),
    ],
)
def test_a_bad_change_changes_nothing(
    client: TestClient, items: list[str], any_workspace: Workspace, path: str, body: dict[str, Any], status: int
) -> None:
    size = any_workspace.log.size
    answer = client.post(f"/v1/items/{items[0]}/{path}", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert any_workspace.log.integrate().size == size
    assert (
        client.post(
            f"/v1/items/nothing/{path}", json={"reason": "x", "title": "y"} if path == "amendments" else {"reason": "x"}
        ).status_code
        == 404
    )


def test_a_manifest_proves_what_is_in_it_and_what_is_not(
    client: TestClient, items: list[str], any_workspace: Workspace
) -> None:
    sealed = client.post("/v1/manifests", json={"name": "m", "purpose": "train", "items": items[:4]}).json()
    logged = verify_receipt(sealed["receipt"], any_workspace.log.vkey).entry.body
    for item_id, member in ((items[0], True), (items[4], False)):
        digest = client.get(f"/v1/items/{item_id}").json()["sha256"]
        proof = DigestProof.model_validate(client.get(f"/v1/manifests/m/proofs/{digest}").json())
        assert proof.member is member
        verify_digest_proof(proof, logged["root"], logged["size"])
    leaves: list[dict[str, str]] = []
    cursor: str | None = None
    while True:
        page = client.get("/v1/manifests/m/items", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        leaves += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(leaf["item"] for leaf in leaves) == sorted(items[:4])
    assert [leaf["blob"] for leaf in leaves] == sorted(leaf["blob"] for leaf in leaves)
    assert (
        client.post("/v1/manifests", json={"name": "m", "purpose": "train", "items": items}).json()["code"]
        == "manifest_sealed"
    )
    assert client.get("/v1/manifests/none").status_code == 404
    assert client.get("/v1/manifests/m/proofs/xyz").status_code == 422


def test_a_new_snapshot_is_unchecked(client: TestClient, items: list[str]) -> None:
    change = {"reason": "archived", "snapshot_url": "https://web.archive.org/web/2026/https://example.org/0.png"}
    link = client.post(f"/v1/items/{items[0]}/amendments", json=change).json()["archival_link"]
    assert (link["snapshot_url"], link["state"]) == (change["snapshot_url"], "unchecked")


def test_many_changes_at_once_with_one_key_have_one_effect(
    client: TestClient, items: list[str], any_workspace: Workspace
) -> None:
    size = any_workspace.log.size

    def post(path: str, body: dict[str, Any]) -> int:
        return client.post(path, json=body, headers={"Idempotency-Key": "same"}).status_code

    seal = {"name": "m", "purpose": "train", "items": items}
    with ThreadPoolExecutor(12) as pool:
        amended = list(pool.map(lambda _: post(f"/v1/items/{items[0]}/amendments", {"reason": "r", "title": "t"}), range(12)))
        sealed = list(pool.map(lambda _: post("/v1/manifests", seal), range(12)))
    assert set(amended) == set(sealed) == {201}
    assert any_workspace.log.integrate().size == size + 2
