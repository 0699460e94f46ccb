"""Rights signals seen later, over REST, on both databases: read where they can be, stated otherwise, never loosened."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.ledger.verify import verify_receipt
from shared.records.manifests import load_manifest
from shared.records.models import Model
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.factories import encode, picture, png, register
from tests.support.ingest_client import entries_after, ingest_client
from tests.support.log_entries import open_entries_after
from tests.unit.services.ingest.signals.xmp_pictures import data_mining

ROBOTS_DENY = b"User-agent: *\nDisallow: /\n"


@pytest.fixture
def client(any_workspace: Workspace) -> Iterator[TestClient]:
    with ingest_client(any_workspace) as opened:
        yield opened


def raw(data: bytes) -> dict[str, str]:
    return {"raw_base64": base64.b64encode(data).decode()}


def post(client: TestClient, item_id: str, body: dict[str, Any], key: str | None = None) -> Any:
    return client.post(f"/v1/items/{item_id}/signals", json=body, headers={"Idempotency-Key": key} if key else {})


def test_a_later_denial_keeps_the_item_out_and_names_what_holds_it(client: TestClient, any_workspace: Workspace) -> None:
    items = [register(any_workspace, f"{number}.png", png(number)).id for number in range(3)]
    seal = {"purpose": "train", "dataset": "works"}
    assert client.post("/v1/manifests", json=seal | {"name": "before"}).json()["size"] == 3
    with any_workspace.writing() as session:
        manifest = load_manifest(session, "before")
        digest = "ab" * 32
        facts: dict[str, Any] = {
            "weights_sha256": digest,
            "config_sha256": digest,
            "resolution_px": 16,
            "channels": 3,
            "folder": "m",
        }
        session.add(Model(name="m", origin="trained", manifest_id=manifest.id, entry_id=manifest.entry_id, **facts))
    size = any_workspace.log.integrate().size
    body = {"kind": "robots-txt", "observed_at": "2026-04-01T00:00:00Z", **raw(ROBOTS_DENY)}
    answer = post(client, items[1], body, "s")
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert (found["rights_verdict"], found["signal"]["verdict"], found["signal"]["basis"]) == ("deny", "deny", "read")
    assert [one["name"] for one in found["manifests"]] == ["before"]
    assert [one["name"] for one in found["models"]] == ["m"]
    assert post(client, items[1], body, "s").json()["signal"] == found["signal"]
    [entry] = entries_after(any_workspace, size)
    assert verify_receipt(found["receipt"], any_workspace.log.vkey).entry == entry
    assert (entry.type, entry.subject, entry.body["verdict"]) == ("signal.observed", {"item": items[1]}, "deny")
    assert open_entries_after(any_workspace, size)[0].body["observed_at"] == "2026-04-01T00:00:00.000Z"
    assert client.get(f"/v1/items/{items[1]}").json()["rights_verdict"] == "deny"
    assert client.post("/v1/manifests", json=seal | {"name": "after"}).json()["size"] == 2
    refused = client.post("/v1/manifests", json={"name": "named", "purpose": "train", "items": items})
    assert (refused.status_code, refused.json()["code"]) == (422, "item_not_active")
    allowed = post(
        client, items[1], {"kind": "xmp-plus-data-mining", **raw(encode(picture(1), "JPEG", xmp=data_mining("DMI-ALLOWED")))}
    )
    assert (allowed.json()["signal"]["verdict"], allowed.json()["rights_verdict"]) == ("allow", "deny")
    listed = client.get(f"/v1/items/{items[1]}/signals").json()
    assert [one["kind"] for one in listed["signals"]] == ["robots-txt", "xmp-plus-data-mining"]
    assert [one["type"] for one in client.get(f"/v1/items/{items[1]}/history").json()["entries"]][1:] == [
        "signal.observed"
    ] * 2


JUDGED = [
    ({"kind": "x-robots-tag", **raw(b"X-Robots-Tag: noai\r\nServer: x\r\n")}, "deny", "read"),
    ({"kind": "tdmrep-header", **raw(b"tdm-reservation: 1\n")}, "deny", "read"),
    ({"kind": "content-usage-header", **raw(b"Content-Usage: train-ai=y")}, "allow", "read"),
    ({"kind": "robots-meta", **raw(b'<meta name="robots" content="noai">')}, "deny", "read"),
    ({"kind": "tdmrep-file", **raw(b"not json")}, "unknown", "read"),
    ({"kind": "robots-txt", "raw_sha256": "cd" * 32, "stated": "deny"}, "deny", "stated"),
    ({"kind": "letter", **raw(b"please do not"), "stated": "deny", "statement": "a letter"}, "deny", "stated"),
]
REFUSED = [
    ({"kind": "robots-txt", **raw(ROBOTS_DENY), "stated": "allow"}, "signal_verdict_read"),
    ({"kind": "letter", **raw(b"no")}, "signal_verdict_missing"),
    ({"kind": "robots-txt", "raw_sha256": "cd" * 32}, "signal_verdict_missing"),
    ({"kind": "tdmrep-header", **raw(b"Server: x")}, "signal_not_found"),
    ({"kind": "robots-txt"}, "invalid_request"),
    ({"kind": "robots-txt", **raw(b"x"), "observed_at": "2999-01-01T00:00:00Z"}, "invalid_request"),
    ({"kind": "robots-txt", "raw_base64": "!abc"}, "invalid_request"),
    ({"kind": "letter", **raw(bytes(2_000_001)), "stated": "deny"}, "signal_too_large"),
]


def test_a_verdict_is_read_or_stated(workspace: Workspace) -> None:
    with ingest_client(workspace) as client:
        for number, (body, verdict, basis) in enumerate(JUDGED):
            item = register(workspace, f"{number}.png", png(number)).id
            answer = post(client, item, body)
            assert answer.status_code == 201, answer.text
            signal = answer.json()["signal"]
            assert (signal["verdict"], signal["basis"], answer.json()["rights_verdict"]) == (verdict, basis, verdict)


def test_a_bad_observation_changes_nothing(tmp_path: Path) -> None:
    workspace = open_workspace(Settings(home=tmp_path / "home", max_image_bytes=2_000_000))
    item = register(workspace, "a.png", png(1)).id
    with ingest_client(workspace) as client:
        size = workspace.log.integrate().size
        for body, code in REFUSED:
            answer = post(client, item, body)
            assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
        assert post(client, "nothing", {"kind": "letter", **raw(b"no"), "stated": "deny"}).status_code == 404
    assert workspace.log.integrate().size == size
    workspace.engine.dispose()


def test_what_speaks_of_paths_needs_a_url(workspace: Workspace) -> None:
    item = register(workspace, "a.png", png(1), archival_link=None).id
    with ingest_client(workspace) as client:
        body = {"kind": "robots-txt", **raw(ROBOTS_DENY)}
        assert post(client, item, body).json()["code"] == "signal_url_missing"
        assert post(client, item, body | {"url": "https://example.org/a.png"}).json()["signal"]["verdict"] == "deny"
