"""Searches for an owner over REST, on both databases: logged for each item, committed to, expiring, erasable."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from services.ingest.coverage import measure_coverage
from services.ingest.lifecycle.erasure import erase_party
from shared.clock import timestamp, utc_now
from shared.ledger.commitments import verify_commitment
from shared.ledger.verify import verify_receipt
from shared.records.committed_entries import Commitment
from shared.records.items import Diligence
from shared.records.parties import Party
from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.support.ingest_client import entries_after, ingest_client
from tests.support.log_entries import open_entries_after

SEARCH = {
    "sources": ["VG Bild-Kunst", "picture agencies"],
    "query": "Pia Photographer",
    "searched_by": "Rita Researcher",
    "searched_at": "2026-03-01T10:00:00+01:00",
    "jurisdiction": "DE",
    "work_category": "photography",
    "result": "owner_identified",
    "note": "Pia Photographer is a member",
    "expires_at": "2026-03-02T00:00:00Z",
}


@pytest.fixture
def client(any_workspace: Workspace) -> Iterator[TestClient]:
    with ingest_client(any_workspace) as opened:
        yield opened


@pytest.fixture
def items(any_workspace: Workspace) -> list[str]:
    return [register(any_workspace, f"{number}.png", png(number), diligence=[]).id for number in range(3)]


def test_a_search_is_logged_shown_and_committed_to(client: TestClient, items: list[str], any_workspace: Workspace) -> None:
    size = any_workspace.log.size
    answer = client.post(f"/v1/items/{items[0]}/diligence", json=SEARCH)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["items"] == [items[0]]
    assert (body["search"]["query"], body["search"]["searched_by"]) == (SEARCH["query"], SEARCH["searched_by"])
    assert (body["search"]["searched_at"], body["search"]["expired"]) == ("2026-03-01T09:00:00.000Z", True)
    assert client.get(answer.headers["Location"]).json()["search"] == body["search"]
    assert client.get(f"/v1/items/{items[0]}/diligence").json() == {"searches": [body["search"]]}
    assert client.get(f"/v1/items/{items[0]}").json()["diligence"] == [body["search"]]
    assert [one["type"] for one in client.get(f"/v1/items/{items[0]}/history").json()["entries"]][1:] == ["diligence.searched"]
    [entry] = entries_after(any_workspace, size)
    assert verify_receipt(body["receipt"], any_workspace.log.vkey).entry == entry
    assert entry.subject == {"item": items[0]}
    [shown] = open_entries_after(any_workspace, size)
    assert (shown.body["sources"], shown.body["result"]) == (SEARCH["sources"], "owner_identified")
    assert b"Pia" not in entry.canonical_bytes()
    assert b"Rita" not in entry.canonical_bytes()
    with any_workspace.reading() as session:
        found = session.exec(select(Diligence)).one()
        opened = session.exec(select(Commitment).where(Commitment.entry_id == found.entry_id)).all()
    names = {name for name in entry.commitments if name != "by" and not name.startswith("body.")}
    assert {one.field for one in opened} == names == {"searched_by.name", "query", "note"}
    for one in opened:
        verify_commitment(one.value, one.salt, entry.commitments[one.field])


def test_one_search_of_many_items_is_an_entry_each_or_none(
    client: TestClient, items: list[str], any_workspace: Workspace
) -> None:
    size = any_workspace.log.size
    answer = client.post("/v1/diligence", json=SEARCH | {"items": items}, headers={"Idempotency-Key": "d"}).json()
    assert answer["items"] == items
    again = client.post("/v1/diligence", json=SEARCH | {"items": items}, headers={"Idempotency-Key": "d"}).json()
    assert (again["id"], again["items"]) == (answer["id"], items)
    entries = entries_after(any_workspace, size)
    assert [(entry.type, entry.subject["item"], entry.body["search"]) for entry in entries] == [
        ("diligence.searched", item_id, answer["id"]) for item_id in items
    ]
    assert len({entry.commitments["query"] for entry in entries}) == 3
    for bad, status, code in (
        ({"items": [*items, "nobody"]}, 404, "item_not_found"),
        ({"items": [items[0], items[0]]}, 422, "item_repeated"),
        ({"items": []}, 422, "invalid_request"),
        ({"items": items, "searched_at": timestamp(utc_now() + timedelta(days=1))}, 422, "invalid_request"),
        ({"items": items, "expires_at": SEARCH["searched_at"]}, 422, "invalid_request"),
        ({"items": items, "result": "found Pia"}, 422, "invalid_request"),
        ({"items": items, "sources": []}, 422, "invalid_request"),
    ):
        refused = client.post("/v1/diligence", json=SEARCH | bad)
        assert (refused.status_code, refused.json()["code"]) == (status, code), bad
    assert client.post("/v1/diligence", json=SEARCH, headers={"Idempotency-Key": "d"}).status_code == 422
    assert client.post(f"/v1/items/{items[0]}/diligence", json=SEARCH, headers={"Idempotency-Key": "d"}).status_code == 409
    assert client.get("/v1/diligence/none").json()["code"] == "search_not_found"
    assert len(entries_after(any_workspace, size)) == 3


def test_an_expired_search_does_not_count(client: TestClient, items: list[str], any_workspace: Workspace) -> None:
    def covered() -> int:
        with any_workspace.reading() as session:
            [works] = measure_coverage(session)
        return works.diligence

    client.post("/v1/diligence", json=SEARCH | {"items": items})
    assert covered() == 0
    lasting = SEARCH | {"expires_at": timestamp(utc_now() + timedelta(days=30))}
    assert client.post(f"/v1/items/{items[0]}/diligence", json=lasting).json()["search"]["expired"] is False
    client.post(f"/v1/items/{items[1]}/diligence", json=SEARCH | {"expires_at": None})
    assert covered() == 2


def test_searches_at_once_get_places_of_their_own(client: TestClient, items: list[str], any_workspace: Workspace) -> None:
    def post(number: int) -> int:
        order = items if number % 2 else items[::-1]
        return client.post("/v1/diligence", json=SEARCH | {"items": order}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(post, range(8))) == {201}
    with any_workspace.reading() as session:
        rows = session.exec(select(Diligence.item_id, Diligence.position)).all()
    assert sorted(rows) == sorted((item_id, position) for item_id in items for position in range(8))


def test_an_erased_owner_is_gone_from_queries_and_notes(
    client: TestClient, items: list[str], any_workspace: Workspace
) -> None:
    receipt = client.post(f"/v1/items/{items[0]}/diligence", json=SEARCH | {"query": "Olga Owner", "note": "Olga!"}).json()[
        "receipt"
    ]
    with any_workspace.writing() as session:
        owner = session.exec(select(Party).where(Party.name == "Olga Owner")).one()
        searcher = session.exec(select(Party).where(Party.name == "Rita Researcher")).one()
        erase_party(session, owner.id, "a request")
        erase_party(session, searcher.id, "a request")
    with any_workspace.reading() as session:
        assert not [row for row in session.exec(select(Commitment)) if "Olga" in row.value or "Rita" in row.value]
    shown: dict[str, Any] = client.get(f"/v1/items/{items[0]}").json()["diligence"][0]
    assert (shown["query"], shown["note"], shown["searched_by"]) == (None, None, "(erased)")
    verify_receipt(receipt, any_workspace.log.vkey)
