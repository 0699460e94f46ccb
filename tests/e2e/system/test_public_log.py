"""What a stranger learns from the log of a whole job: which things there are, when and of what digest, and no more."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.ledger.bundles import split_bundle
from shared.ledger.entries import parse_entry
from shared.ledger.openings import parse_opening, verify_opening
from shared.ledger.verify import verify_receipt
from shared.workspace import Workspace
from tests.support.gate_records import FLAGGED, GateWorld, build_world
from tests.support.keys import bearer, keyed_client, make_key, party_named

# Each is in a field of its own, and of no other meaning.
SECRETS = {
    "title": "Nocturne in Xanthic",
    "data set": "xenolith-works",
    "source key": "quartz/0001.png",
    "source URL": "https://source.example/quartz",
    "snapshot URL": "https://archive.example/2026/quartz",
    "licence": "CC-BY-NC-ND-3.0",
    "licence URL": "https://licence.example/deed",
    "acquired from": "Gallery Zephyr",
    "acquirer": "Anna Acquirer",
    "owner": "Olga Owner",
    "owner's basis": "a letter from 1987",
    "query": "Olga O. of Zagreb",
    "permission": "agreement 7741",
    "signal": "spawning-list",
    "statement": "do not train on quartz",
    "reason of the amendment": "the gallery wrote again",
    "reason of the withdrawal": "a quarrel about quartz",
    "manifest": "manifest-of-quartz",
    "model": "model-a",
    "policy": "quartz-policy",
    "waiver reason": "owner_not_found",
    "currency": "EUR",
    "amount": "10001",
    "score": "0.9985",
    "threshold": "0.00375",
    "similarity": "0.9",
    "scope": "webhooks:write",
    "other scope": "items:write",
    "searched in": "register of quartz",
    "note": "nobody answered in Zagreb",
    "role": "compliance",
    "hold": "claim_of_quartz",
    "webhook": "https://hooks.example/quartz",
}


@pytest.fixture
def world(any_workspace: Workspace) -> GateWorld:
    link = {"original_url": SECRETS["source URL"], "snapshot_url": SECRETS["snapshot URL"]}
    return build_world(
        any_workspace,
        dataset=SECRETS["data set"],
        title=SECRETS["title"],
        licence=SECRETS["licence"],
        licence_url=SECRETS["licence URL"],
        archival_link=link,
        acquired_from=SECRETS["acquired from"],
        acquirer=SECRETS["acquirer"],
        owners=[{"name": SECRETS["owner"], "basis": SECRETS["owner's basis"], "confidence": 0.7}],
        training_permission=SECRETS["permission"],
    )


@pytest.fixture
def client(world: GateWorld) -> Iterator[TestClient]:
    with keyed_client(world.workspace, world.gate) as opened:
        yield opened


def do_the_rest(world: GateWorld, client: TestClient) -> dict[str, Any]:
    """Do over REST, with a key of every scope, what makes entries; return answers that open some."""
    scopes = ("items:write", "manifests:write", "policies:write", "flags:read", "flags:review", "flags:compliance")
    key = bearer(make_key(world.workspace, *scopes, "outputs:read", "webhooks:write", "keys:write"))
    item = world.items[0].id

    def post(path: str, body: dict[str, Any]) -> Any:
        answer = client.post(f"/v1/{path}", json=body, headers=key)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    seen = {"kind": SECRETS["signal"], "raw_sha256": "a" * 64, "observed_at": "2026-01-31T12:00:00Z"}
    stated = {"stated": "deny", "statement": SECRETS["statement"]}
    post(f"items/{item}/signals", seen | stated)
    search = {"sources": [SECRETS["searched in"]], "query": SECRETS["query"], "searched_by": "Anna Acquirer"}
    result = {"work_category": "photography", "result": "owner_not_found", "note": SECRETS["note"]}
    post(f"items/{item}/diligence", search | result | {"searched_at": "2026-01-31T12:00:00Z"})
    post(f"items/{item}/amendments", {"reason": SECRETS["reason of the amendment"], "title": SECRETS["title"] + " II"})
    post("manifests", {"name": SECRETS["manifest"], "purpose": "control", "items": [world.items[2].id]})
    content = world.gate.content.recorded() | {"name": SECRETS["policy"], "version": 1, "false_positive_rate": 0.00375}
    policy = post("policies", content)
    check = client.get(f"/v1/checks/{world.decided(FLAGGED).id}", headers=key).json()
    flag = check["flag_id"]
    post(f"flags/{flag}/reviews", {"verdict": "confirm", "reason": SECRETS["reason of the amendment"]})
    post(f"flags/{flag}/steps", {"step": "notify", "role": "compliance", "name": "Anna Acquirer", "note": SECRETS["note"]})
    post(f"items/{world.items[1].id}/withdrawal", {"reason": SECRETS["reason of the withdrawal"]})
    made = post("keys", {"name": "another", "scopes": ["items:write"]})
    post(f"keys/{made['id']}/revoke", {})
    history = client.get(f"/v1/items/{item}/history", headers=key).json()
    flags = client.get(f"/v1/flags/{flag}/history", headers=key).json()
    return {"policy": policy, "check": check, "key": made, "item": history["entries"][0], "flag": flags["entries"][-1]}


def read_log(client: TestClient) -> list[bytes]:
    """Read every entry as anyone can: the checkpoint, then the bundles."""
    size = int(client.get("/checkpoint").text.split("\n")[1])
    entries: list[bytes] = []
    for bundle in range((size + 255) // 256):
        width = min(256, size - bundle * 256)
        path = f"/tile/entries/{bundle:03d}" + (f".p/{width}" if width < 256 else "")
        entries += split_bundle(path, client.get(path).content, width)
    assert len(entries) == size
    return entries


def test_the_public_log_of_a_whole_job_describes_nothing(world: GateWorld, client: TestClient) -> None:
    answers = do_the_rest(world, client)
    world.workspace.log.integrate()
    entries = read_log(client)
    types = {parse_entry(data).type for data in entries}
    assert types >= {
        *("item.registered", "signal.observed", "diligence.searched", "item.amended", "item.withdrawn", "dataset.sealed"),
        *("model.imported", "policy.adopted", "check.decided", "flag.raised", "flag.reviewed", "flag.notified"),
        *("key.created", "key.revoked"),
    }
    receipts = [client.get(f"/v1/items/{item.id}/receipt") for item in world.items]
    assert all(receipt.status_code == 200 for receipt in receipts)
    public = [
        *entries,
        *(verify_receipt(receipt.text, world.workspace.log.vkey).entry.canonical_bytes() for receipt in receipts),
    ]
    secrets = SECRETS | {"owner's id": party_named(world.workspace, SECRETS["owner"])}
    found = {(name, json.loads(data)["type"]) for data in public for name, secret in secrets.items() if _holds(data, secret)}
    assert found == set()
    for answer in answers.values():
        entry = verify_receipt(answer["receipt"], world.workspace.log.vkey).entry
        opening = parse_opening(json.dumps(answer))
        verify_opening(opening, entry.commitments)
        assert entry.v == 2
        assert entry.typed_body(opening) is not None, entry.type


def _holds(data: bytes, secret: str) -> bool:
    """Say whether an entry holds a value; its digests, ids and times are of hexadecimal digits and may hold any number."""
    entry = json.loads(data)
    shown = {name: value for name, value in entry.items() if name not in {"commitments", "at"}}
    shown["subject"] = {name: value for name, value in entry["subject"].items() if not _is_identifier(value)}
    shown["body"] = {name: value for name, value in entry["body"].items() if not _is_identifier(value)}
    return secret in json.dumps(shown, ensure_ascii=False) or (len(secret) > 12 and secret.encode() in data)


def _is_identifier(value: Any) -> bool:
    return isinstance(value, str) and len(value) in {32, 36, 64} and not set(value) - set("0123456789abcdef-")


def test_the_bundles_alone_show_a_closed_list_of_fields(world: GateWorld, client: TestClient) -> None:
    do_the_rest(world, client)
    world.workspace.log.integrate()
    shown: dict[str, set[str]] = {}
    for data in read_log(client):
        entry = parse_entry(data)
        shown.setdefault(entry.type, set()).update(entry.body)
        assert "by" in entry.commitments
    decided = {"model_id", "manifest_root", "generation_sha256", "decision", "reason", "calibration_sha256", "index_cursor"}
    assert {entry_type: fields for entry_type, fields in shown.items() if fields} == {
        "signal.observed": {"verdict"},
        "diligence.searched": {"search"},
        "dataset.sealed": {"purpose", "size", "root"},
        "model.imported": {"manifest_id", "manifest_root", "weights_sha256"},
        "check.decided": decided,
        "flag.raised": {"check_id"},
        "flag.reviewed": {"verdict"},
    }
