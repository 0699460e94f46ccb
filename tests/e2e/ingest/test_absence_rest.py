"""A manifest cannot be enumerated by asking what is absent from it; who holds a digest or a picture is answered."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.ingest.manifests.absence import DIGESTS_A_MINUTE, PICTURES_AN_HOUR
from services.ingest.manifests.schemas import SealRequest
from services.ingest.manifests.service import seal_items
from services.output_gate.opening import open_gate
from shared.canonical import sha256_hex
from shared.ledger.membership import verify_membership
from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.support.keys import bearer, keyed_client, make_key

ITEMS = 40


@pytest.fixture
def client(any_workspace: Workspace) -> Iterator[TestClient]:
    for number in range(ITEMS):
        register(any_workspace, f"{number}.png", png(number, 8))
    seal_items(any_workspace, SealRequest(name="m", purpose="train", dataset="works"))
    with keyed_client(any_workspace, open_gate(any_workspace)) as opened:
        yield opened


def blobs_shown(answers: list[Any]) -> set[str]:
    bodies = [answer.json() for answer in answers if answer.status_code == 200]
    return {leaf["blob"] for body in bodies for leaf in body.get("proof", body)["leaves"]}


def test_absence_proofs_enumerate_nothing(client: TestClient) -> None:
    """The attack: ask about random digests; each answer shows two neighbours. 203 requests showed a manifest of 200."""
    client.app.state.proof_limits.digests._clock = lambda: 0.0  # type: ignore[attr-defined]
    digits = random.Random(1)
    digests = [f"{digits.getrandbits(256):064x}" for _ in range(203)]
    answers = [client.get(f"/v1/manifests/m/proofs/{digest}") for digest in digests[:101]]
    answers += [client.get(f"/v1/manifests/m/membership/{digest}") for digest in digests[101:]]
    assert blobs_shown(answers) == set()
    refused = [answer.json()["code"] for answer in answers]
    assert set(refused) == {"absence_not_shown", "http_429"}
    assert refused[:DIGESTS_A_MINUTE] == ["absence_not_shown"] * DIGESTS_A_MINUTE
    assert refused.count("http_429") > 100
    assert all(int(answer.headers["Retry-After"]) == 2 for answer in answers if answer.status_code == 429)


def test_pictures_that_were_made_up_enumerate_nothing_either(client: TestClient) -> None:
    answers = [client.post("/v1/manifests/m/membership", files={"image": png(1000 + number, 8)}) for number in range(203)]
    shown = blobs_shown(answers)
    assert [answer.status_code for answer in answers] == [200] * PICTURES_AN_HOUR + [429] * (203 - PICTURES_AN_HOUR)
    assert len(shown) <= 2 * PICTURES_AN_HOUR < ITEMS


def test_a_key_without_the_scope_is_limited_and_one_with_it_is_not(client: TestClient, any_workspace: Workspace) -> None:
    other, reader = make_key(any_workspace, "items:read"), make_key(any_workspace, "manifests:read")
    path = f"/v1/manifests/m/proofs/{'0' * 64}"
    assert client.get(path, headers=bearer(other)).json()["code"] == "absence_not_shown"
    codes = {client.get(path, headers=bearer(other)).json().get("code") for _ in range(2 * DIGESTS_A_MINUTE)}
    assert codes == {"absence_not_shown", "http_429"}
    answers = [client.get(path, headers=bearer(reader)) for _ in range(DIGESTS_A_MINUTE + 5)]
    assert {(answer.status_code, answer.json()["member"]) for answer in answers} == {(200, False)}
    # Nobody else waits for them.
    assert client.get(path).json()["code"] == "absence_not_shown"


def test_who_holds_a_digest_or_the_picture_gets_a_proof_that_holds_offline(
    client: TestClient, any_workspace: Workspace
) -> None:
    vkey, digest = any_workspace.log.vkey, sha256_hex(png(3, 8))
    by_digest = client.get(f"/v1/manifests/m/membership/{digest}")
    by_picture = client.post("/v1/manifests/m/membership", files={"image": png(3, 8)})
    assert by_digest.json() == by_picture.json()
    found = verify_membership(by_digest.text, vkey, sha256=digest)
    assert (found.member, found.manifest, found.size) == (True, "m", ITEMS)
    absent = client.post("/v1/manifests/m/membership", files={"image": png(999, 8)}).text
    assert not verify_membership(absent, vkey, sha256=sha256_hex(png(999, 8))).member


def test_the_name_of_a_manifest_is_told_to_who_knows_it(client: TestClient, any_workspace: Workspace) -> None:
    reader, digest = make_key(any_workspace, "manifests:read"), sha256_hex(png(3, 8))
    [manifest] = client.get("/v1/manifests", headers=bearer(reader)).json()["items"]
    by_id = client.get(f"/v1/manifests/{manifest['id']}/membership/{digest}")
    assert (by_id.json()["manifest"], by_id.json()["opening"]) == (manifest["id"], {})
    assert verify_membership(by_id.text, any_workspace.log.vkey).manifest == manifest["id"]
