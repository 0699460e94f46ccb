"""Each kind of job, started over REST with a key: every entry that it wrote commits to that key and its role."""

import ipaddress
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.audit.studies.study_config import load_study_config
from services.output_gate.opening import open_gate
from services.server.app import create_app
from services.server.job_kinds import JOB_KINDS
from shared.auth.scopes import SCOPES
from shared.ledger.authorship import BY
from shared.ledger.entries import parse_entry
from shared.ledger.openings import verify_opening
from shared.records.openings import list_entries_by
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.e2e.conftest import CONFIG, Audited
from tests.support.factories import png, register
from tests.support.gate_client import post_checks, training_original
from tests.support.ingest_client import entries_after
from tests.support.keys import bearer, make_key
from tests.support.web_server import LOOPBACK, Page, WebServer, web_server

# Processes that bring torch: seconds on a free machine, minutes on a busy one.
WAIT_SECONDS = 600.0
pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class World:
    """A server with keys, and a site that it may fetch from."""

    workspace: Workspace
    client: TestClient
    site: WebServer


@dataclass(frozen=True)
class Started:
    """How a kind of job is started, and the types of the entries that it writes, as a set."""

    post: Callable[[World], Any]
    types: frozenset[str]


def _post(path: str, body: dict[str, Any]) -> Callable[[World], Any]:
    return lambda world: world.client.post(path, json=body)


def _check(world: World) -> Any:
    return post_checks(world.client, [training_original(world.workspace), png(7)], Prefer="respond-async")


def _message(world: World) -> Any:
    """A job of its own kind follows an event; what it sends is no entry of the log."""
    hook = world.client.post("/v1/webhooks", json={"url": world.site.url("/hook", LOOPBACK), "events": ["check.decided"]})
    assert hook.status_code == 201, hook.text
    return _check(world)


STUDY = load_study_config("smoke").model_dump(mode="json") | {"sizes": [2], "generations": 4, "name": "asked"}
AUDIT = {"model": "model-a", "control": "small-control", "generations": 4, "steps": 3}
TRAINING = {"name": "model-b", "manifest": "small", "config": CONFIG.model_dump(mode="json") | {"seed": 5}}
STARTED = {
    "archive.verification": Started(
        _post("/v1/archive/verifications", {"dataset": "linked"}), frozenset({"archive.verified"})
    ),
    "archive.capture": Started(
        _post("/v1/archive/captures", {"dataset": "linked"}), frozenset({"archive.captured", "archive.verified"})
    ),
    "checks": Started(_check, frozenset({"check.decided"})),
    "webhook.delivery": Started(_message, frozenset({"check.decided"})),
    "slice.sealing": Started(
        _post("/v1/slices", {"name": "s", "datasets": ["works"], "size": 4, "control": "c"}), frozenset({"dataset.sealed"})
    ),
    "model.training": Started(_post("/v1/models", TRAINING), frozenset({"model.trained"})),
    "model.audit": Started(_post("/v1/audits", AUDIT), frozenset({"audit.completed"})),
    "study": Started(_post("/v1/studies", STUDY), frozenset({"study.completed"})),
}


@pytest.fixture
def world(audited: Audited, tmp_path: Path) -> Iterator[World]:
    with web_server(LOOPBACK) as site:
        site.pages |= {"/0.png": Page(png(0)), "/hook": Page(b"")}
        shutil.copytree(audited.home, tmp_path / "home")
        settings = Settings(
            home=tmp_path / "home",
            database_url=None,
            authentication="keys",
            fetch_allowed_networks=(ipaddress.ip_network("127.0.0.1/32"),),
            fetch_allowed_ports=(site.port,),
        )
        workspace = open_workspace(settings)
        link = {"original_url": site.url("/0.png", LOOPBACK), "version_date": "2026-01-31"}
        register(workspace, "linked.png", png(0), archival_link=link, dataset="linked")
        with TestClient(create_app(workspace, open_gate(workspace)), base_url="http://sleeve.example.org") as client:
            yield World(workspace, client, site)
        workspace.engine.dispose()


def test_every_kind_of_job_is_started_here() -> None:
    assert set(STARTED) == {kind.name for kind in JOB_KINDS}


@pytest.mark.parametrize(
    ("kind", "role"),
    [*((kind, "key") for kind in STARTED), ("checks", "party"), ("slice.sealing", "party"), ("archive.capture", "party")],
)
def test_a_job_writes_for_the_key_that_started_it(world: World, kind: str, role: str) -> None:
    own = {"items:own", "flags:owner"}
    scopes = sorted(set(SCOPES) - own if role == "key" else set(SCOPES))
    key = make_key(world.workspace, *scopes)
    key_id = key.split("_")[1]
    world.client.headers.update(bearer(key))
    before = world.workspace.log.integrate().size
    queued = STARTED[kind].post(world)
    assert queued.status_code == 202, queued.text
    _wait_for_all(world)
    done = world.client.get("/v1/jobs").json()["items"]
    assert kind in {job["kind"] for job in done}
    assert {job["state"] for job in done} == {"done"}, done
    world.workspace.log.integrate()
    entries = entries_after(world.workspace, before)
    assert {entry.type for entry in entries} >= STARTED[kind].types
    with world.workspace.reading() as session:
        opened = {
            world.workspace.log.index_of(entry_id): opening for entry_id, opening in list_entries_by(session, key_id, 0, 500)
        }
    assert set(opened) >= set(range(before, before + len(entries)))
    for index in range(before, before + len(entries)):
        verify_opening(opened[index], parse_entry(world.workspace.log.entry(index)).commitments)
        assert opened[index][BY].value == {"key": key_id, "role": role}


def _wait_for_all(world: World) -> None:
    """Wait until no job is left: some jobs follow others."""
    deadline = time.monotonic() + WAIT_SECONDS
    while any(job["finished_at"] is None for job in world.client.get("/v1/jobs").json()["items"]):
        assert time.monotonic() < deadline, world.client.get("/v1/jobs").json()
        time.sleep(0.1)
