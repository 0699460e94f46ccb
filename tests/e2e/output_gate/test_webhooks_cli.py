"""`sleeve gate webhooks`: made with a secret that is shown once or written to a file, listed, sent again, removed."""

import base64
import json
import stat
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from services.commands.main import app
from services.output_gate.webhooks.delivery import deliver
from services.output_gate.webhooks.outbox import DELIVERY, queue_event
from services.output_gate.webhooks.service import page_of_deliveries
from services.output_gate.webhooks.signing import load_secret, secret_file
from services.server.app import create_app
from shared.clock import utc_now
from shared.errors import ConflictError, InputError
from shared.http.paging import PageRequest
from shared.jobs.kind import JobKind
from shared.jobs.worker import JobWorker
from shared.records.jobs import count_jobs
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.gate_records import build_world
from tests.support.web_server import PUBLIC, Page, WebServer, web_server

NO_WAITS: tuple[timedelta, ...] = ()


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as served:
        served.pages["/hook"] = Page(b"", 500)
        yield served


@pytest.fixture
def home(tmp_path: Path, site: WebServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setenv("SLEEVE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLEEVE_FETCH_ALLOWED_NETWORKS", f"{PUBLIC}/32")
    monkeypatch.setenv("SLEEVE_FETCH_ALLOWED_PORTS", str(site.port))
    workspace = open_workspace(Settings())
    yield workspace
    workspace.engine.dispose()


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["gate", "webhooks", *words])


def said(*words: str) -> str:
    done = run(*words)
    assert done.exit_code == 0, done.output
    return done.output


def add(site: WebServer, *more: str) -> Result:
    return run("add", site.url("/hook", PUBLIC), "--event", "flag.raised", "--event", "policy.adopted", *more)


def send(workspace: Workspace) -> None:
    delivery = JobKind(DELIVERY, "webhooks:write", "webhooks:write", partial(deliver, waits=NO_WAITS))
    worker = JobWorker(workspace, [delivery], workspace)
    while worker.run_next():
        pass


def tell(workspace: Workspace) -> None:
    with workspace.writing() as session:
        queue_event(session, "flag.raised", {"flag_id": "f"}, utc_now())


def test_a_webhook_is_made_followed_sent_again_and_removed(home: Workspace, site: WebServer) -> None:
    made = json.loads(add(site, "--json").output)
    secret = load_secret(home.home, made["id"])
    assert made["secret"] == secret
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    tell(home)
    send(home)
    assert made["id"] in said("list")
    assert json.loads(said("list", "--json"))["items"][0]["deliveries"] == {"dead": 1}
    [dead] = json.loads(said("deliveries", made["id"], "--state", "dead", "--json"))["items"]
    assert (dead["last_error"], dead["attempts"]) == ("status_not_2xx", 1)
    site.pages["/hook"] = Page(b"", 200)
    assert json.loads(said("retry", made["id"], dead["id"], "--json"))["state"] == "pending"
    send(home)
    refused = run("retry", made["id"], dead["id"])
    assert isinstance(refused.exception, ConflictError)
    assert dead["id"] in said("deliveries", made["id"], "--state", "delivered")
    assert secret not in "".join((said("list"), said("list", "--json"), said("deliveries", made["id"], "--json")))
    assert made["id"] in said("remove", made["id"])
    assert not secret_file(home.home, made["id"]).exists()
    assert json.loads(said("list", "--json"))["items"] == []


def test_a_secret_is_printed_once_or_written_to_a_new_file(home: Workspace, site: WebServer, tmp_path: Path) -> None:
    shown = add(site).output
    [first] = json.loads(said("list", "--json"))["items"]
    assert f"secret, shown this once: {load_secret(home.home, first['id'])}" in shown
    file = tmp_path / "hook.secret"
    written = add(site, "--secret-file", str(file), "--json").output
    made = json.loads(written)
    assert (made["secret"], file.read_text(encoding="ascii").strip()) == (None, load_secret(home.home, made["id"]))
    assert "whsec_" not in written
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = add(site, "--secret-file", str(file))
    assert isinstance(again.exception, ConflictError)
    # Nothing is left of one that is refused: no webhook, no file.
    other = tmp_path / "other.secret"
    refused = run("add", "https://127.0.0.1/", "--event", "flag.raised", "--secret-file", str(other))
    assert isinstance(refused.exception, InputError)
    assert not other.exists()
    assert len(json.loads(said("list", "--json"))["items"]) == 2


def test_one_key_sends_a_dead_message_again_once(any_workspace: Workspace, site: WebServer) -> None:
    allowed = {"fetch_allowed_networks": (f"{PUBLIC}/32",), "fetch_allowed_ports": (site.port,)}
    workspace = open_workspace(type(any_workspace.settings)(**any_workspace.settings.model_dump() | allowed))
    world = build_world(workspace)
    world.gate.close()
    # Without its background threads, so that nothing is sent but by `send`.
    client = TestClient(create_app(workspace, world.gate), base_url="http://127.0.0.1")
    hook = client.post("/v1/webhooks", json={"url": site.url("/hook", PUBLIC), "events": ["flag.raised"]}).json()
    for _ in range(2):
        tell(workspace)
    send(workspace)
    first, second = page_of_deliveries(workspace, hook["id"], PageRequest(limit=50), "dead").items
    path = f"/v1/webhooks/{hook['id']}/deliveries"
    key = {"Idempotency-Key": "again"}
    answers = [client.post(f"{path}/{first.id}/retries", headers=key) for _ in range(3)]
    assert [(one.status_code, one.json()["state"]) for one in answers] == [(202, "pending")] * 3
    with workspace.reading() as session:
        assert count_jobs(session)[DELIVERY, "queued"] == 1
    send(workspace)
    # Repeated after it failed again, the key still stands for the one that was asked for.
    assert client.post(f"{path}/{first.id}/retries", headers=key).json()["state"] == "dead"
    reused = client.post(f"{path}/{second.id}/retries", headers=key)
    assert (reused.status_code, reused.json()["code"]) == (409, "idempotency_key_reused")
    assert client.post(f"{path}/{first.id}/retries").json()["state"] == "pending"
    workspace.engine.dispose()
