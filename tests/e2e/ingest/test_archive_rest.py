"""Archival links over REST: Robust Links, states, and checks and captures as jobs that block nothing, on both databases."""

import ipaddress
import threading
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.ingest.archive.robust_link import RobustLink, parse_robust_link
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.factories import png, register, registration
from tests.support.ingest_client import entries_after, ingest_client
from tests.support.web_server import LOOPBACK, Page, WebServer, web_server

ITEMS = 4
WAIT_SECONDS = 60.0


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server(LOOPBACK) as running:
        running.pages |= {f"/{number}.png": Page(png(number)) for number in range(ITEMS - 1)}
        yield running


@pytest.fixture
def reaching(any_workspace: Workspace, site: WebServer) -> Iterator[Workspace]:
    """A workspace that may fetch from the site."""
    allowed = {"fetch_allowed_networks": (ipaddress.ip_network("127.0.0.1/32"),), "fetch_allowed_ports": (site.port,)}
    opened = open_workspace(Settings(**(any_workspace.settings.model_dump() | allowed)))
    for number in range(ITEMS):
        link = {"original_url": site.url(f"/{number}.png", LOOPBACK), "version_date": "2026-01-31"}
        register(opened, f"{number}.png", png(number), archival_link=link, dataset="some" if number else "first")
    yield opened
    opened.engine.dispose()


@pytest.fixture
def client(reaching: Workspace) -> Iterator[TestClient]:
    with ingest_client(reaching) as opened:
        yield opened


def finished(client: TestClient, location: str) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        answer = client.get(location)
        job: dict[str, Any] = answer.json()
        if job["state"] in {"done", "failed"}:
            assert "Retry-After" not in answer.headers
            return job
        assert answer.headers["Retry-After"] == "1"
        assert time.monotonic() < deadline, job
        time.sleep(0.05)


def test_links_are_checked_and_captured_as_jobs(client: TestClient, reaching: Workspace, site: WebServer) -> None:
    size = reaching.log.integrate().size
    answer = client.post("/v1/archive/verifications", json={"dataset": "some"}, headers={"Idempotency-Key": "v"})
    assert answer.status_code == 202
    again = client.post("/v1/archive/verifications", json={"dataset": "some"}, headers={"Idempotency-Key": "v"})
    assert again.headers["Location"] == answer.headers["Location"] == f"/v1/jobs/{answer.json()['id']}"
    job = finished(client, answer.headers["Location"])
    assert (job["state"], job["done"], job["total"]) == ("done", 3, 3)
    assert job["counts"] == {"verified": 2, "missing": 1}
    assert [entry.type for entry in entries_after(reaching, size)] == ["archive.verified"] * 3
    assert client.get("/v1/archive/states", params={"dataset": "some"}).json() == {
        "dataset": "some",
        "items": 3,
        "unlinked": 0,
        "verified": 2,
        "drifted": 0,
        "missing": 1,
        "unchecked": 0,
    }
    captured = finished(client, client.post("/v1/archive/captures", json={"limit": 1}).headers["Location"])
    assert (captured["kind"], captured["done"], captured["counts"]) == ("archive.capture", 1, {"verified": 1})
    states = client.get("/v1/archive/states").json()
    assert (states["items"], states["verified"], states["missing"]) == (4, 3, 1)
    assert client.get("/v1/jobs/none").json()["code"] == "job_not_found"
    assert client.post("/v1/archive/captures", json={"limit": 0}).status_code == 422


def test_an_items_link_is_a_robust_link(client: TestClient, reaching: Workspace, site: WebServer) -> None:
    item = client.get("/v1/items", params={"limit": 1}).json()["items"][0]
    finished(client, client.post("/v1/archive/verifications", json={"limit": 1}).headers["Location"])
    answer = client.get(f"/v1/items/{item['id']}/archival-link")
    found = answer.json()
    assert found.pop("checked_at") is not None
    url = site.url("/0.png", LOOPBACK)
    html = found.pop("html")
    assert found == {
        "original_url": url,
        "snapshot_url": None,
        "version_date": "2026-01-31",
        "sha256": item["sha256"],
        "state": "verified",
    }
    link = parse_robust_link(html)
    assert link == RobustLink(url, None, date(2026, 1, 31), item["sha256"], link.state)
    assert f'data-originalurl="{url}"' in html
    assert 'data-versiondate="2026-01-31"' in html
    page = client.get(f"/v1/items/{item['id']}/archival-link", headers={"Accept": "text/html,*/*"})
    assert (page.text, page.headers["content-type"]) == (html, "text/html; charset=utf-8")
    bare = register(reaching, "bare.png", png(9), archival_link=None)
    assert client.get(f"/v1/items/{bare.id}/archival-link").json()["code"] == "no_archival_link"


def test_a_host_that_hangs_blocks_no_registration(client: TestClient, site: WebServer) -> None:
    asked, release = threading.Event(), threading.Event()

    def hang(_handler: Any) -> Page:
        asked.set()
        release.wait(WAIT_SECONDS)
        return Page(png(0))

    site.pages["/0.png"] = hang
    location = client.post("/v1/archive/verifications", json={"limit": 1}).headers["Location"]
    try:
        assert asked.wait(WAIT_SECONDS)
        record = registration("new.png").model_dump_json()
        files = {"image": ("x.png", png(77), "image/png")}
        assert client.post("/v1/items", files=files, data={"record": record}).status_code == 201
        assert client.get(location).json()["state"] == "running"
    finally:
        release.set()
    assert finished(client, location)["counts"] == {"verified": 1}
