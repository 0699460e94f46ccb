"""Entity tags over REST, on both databases: what is known is not sent again, and what has changed is not changed blindly."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.support.ingest_client import entries_after, ingest_client

AT_ONCE = 8


@pytest.fixture
def client(any_workspace: Workspace) -> Iterator[TestClient]:
    with ingest_client(any_workspace) as opened:
        yield opened


def test_what_is_known_is_not_sent_again(client: TestClient, any_workspace: Workspace) -> None:
    item = register(any_workspace, "a.png", png(1)).id
    client.post("/v1/manifests", json={"name": "m", "purpose": "train", "items": [item]})
    for path in (
        f"/v1/items/{item}",
        "/v1/items",
        f"/v1/items/{item}/signals",
        f"/v1/items/{item}/diligence",
        f"/v1/items/{item}/archival-link",
        "/v1/manifests",
        "/v1/manifests/m",
        "/v1/manifests/m/items",
        "/v1/archive/states",
    ):
        first = client.get(path)
        tag = first.headers["ETag"]
        assert tag.startswith('"'), path
        assert client.get(path).headers["ETag"] == tag
        known = client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", tag), path
        other = client.get(path, headers={"If-None-Match": '"other"'})
        assert (other.status_code, other.json()) == (200, first.json())
    assert "ETag" not in client.get("/v1/items/none", headers={"If-None-Match": "*"}).headers


def test_a_change_is_made_to_what_the_client_saw_or_not_at_all(client: TestClient, any_workspace: Workspace) -> None:
    item = register(any_workspace, "a.png", png(1)).id
    path, size = f"/v1/items/{item}", any_workspace.log.integrate().size
    seen = client.get(path).headers["ETag"]
    change = {"reason": "asked for", "title": "New"}
    amended = client.post(f"{path}/amendments", json=change, headers={"If-Match": seen, "Idempotency-Key": "k"})
    assert amended.status_code == 201
    assert amended.headers["ETag"] == client.get(path).headers["ETag"] != seen
    # The same request again is the same effect, whatever the item is by now.
    again = client.post(f"{path}/amendments", json=change, headers={"If-Match": seen, "Idempotency-Key": "k"})
    assert again.json() == amended.json()
    for name, body in (("amendments", {"reason": "late", "title": "Late"}), ("withdrawal", {"reason": "late"})):
        late = client.post(f"{path}/{name}", json=body, headers={"If-Match": seen})
        assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
        weak = client.post(f"{path}/{name}", json=body, headers={"If-Match": f"W/{amended.headers['ETag']}"})
        assert weak.status_code == 412
    assert client.get(path).json()["title"] == "New"
    gone = client.post(f"{path}/withdrawal", json={"reason": "now"}, headers={"If-Match": amended.headers["ETag"]})
    assert gone.json()["state"] == "withdrawn"
    assert [entry.type for entry in entries_after(any_workspace, size)] == ["item.amended", "item.withdrawn"]


def test_withdrawals_at_once_are_one(client: TestClient, any_workspace: Workspace) -> None:
    items = [register(any_workspace, f"{number}.png", png(number)).id for number in range(3)]
    size = any_workspace.log.integrate().size

    def withdraw(number: int) -> int:
        return client.post(f"/v1/items/{items[number % 3]}/withdrawal", json={"reason": "opted out"}).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert Counter(pool.map(withdraw, range(3 * AT_ONCE))) == {201: 3, 409: 3 * (AT_ONCE - 1)}
    entries = entries_after(any_workspace, size)
    assert sorted(entry.subject["item"] for entry in entries) == sorted(items)
    assert {entry.type for entry in entries} == {"item.withdrawn"}


def test_amendments_at_once_of_one_version_are_one(client: TestClient, any_workspace: Workspace) -> None:
    path = f"/v1/items/{register(any_workspace, 'a.png', png(1)).id}"
    headers = {"If-Match": client.get(path).headers["ETag"]}

    def amend(number: int) -> int:
        return client.post(f"{path}/amendments", json={"reason": "r", "title": f"T{number}"}, headers=headers).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert Counter(pool.map(amend, range(AT_ONCE))) == {201: 1, 412: AT_ONCE - 1}
