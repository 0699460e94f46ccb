"""Webhooks against a real receiver, on both databases: signed, tried again until it is up, dead after the last try."""

import base64
import hmac
import json
import logging
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from services.output_gate.webhooks.delivery import WAITS, deliver
from services.output_gate.webhooks.outbox import DELIVERY, EVENTS, queue_event
from services.output_gate.webhooks.schemas import WebhookRequest
from services.output_gate.webhooks.service import create_webhook, delete_webhook, page_of_deliveries, redeliver
from services.output_gate.webhooks.signing import load_secret, secret_file
from services.server.app import create_app
from shared.clock import utc_now
from shared.errors import ConflictError, InputError
from shared.http.paging import PageRequest
from shared.jobs.kind import JobKind
from shared.jobs.worker import JobWorker
from shared.ledger.bodies import BODY_BY_TYPE
from shared.records.jobs import cancel_job
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.gate_records import FLAGGED, build_world
from tests.support.postgres import free_port
from tests.support.web_server import LOOPBACK, PUBLIC, Page, Seen, WebServer, web_server

SOON = (timedelta(milliseconds=20),) * 3
WAIT_SECONDS = 30.0


@contextmanager
def opened(folder: Path, database_url: str, port: int) -> Iterator[Workspace]:
    """A workspace whose fetches may reach the receiver's address and port, and nothing else that is not public."""
    settings = Settings(
        home=folder / "home",
        database_url=database_url,
        fetch_allowed_networks=(ip_network(f"{PUBLIC}/32"),),
        fetch_allowed_ports=(port,),
    )
    workspace = open_workspace(settings)
    yield workspace
    workspace.engine.dispose()


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as served:
        served.pages["/hook"] = Page(b"thanks", 200)
        yield served


@pytest.fixture
def workspace_of(site: WebServer, tmp_path: Path, database_url: str) -> Iterator[Workspace]:
    with opened(tmp_path, database_url, site.port) as workspace:
        yield workspace


def request_for(site: WebServer, *events: str, path: str = "/hook") -> WebhookRequest:
    return WebhookRequest.model_validate({"url": site.url(path, PUBLIC), "events": events or ["flag.raised"]})


def tell(workspace: Workspace, number: int = 0, event: str = "flag.raised") -> None:
    with workspace.writing() as session:
        queue_event(session, event, {"flag_id": f"f{number}"}, utc_now())


def run_due(workspace: Workspace, waits: tuple[timedelta, ...] = SOON) -> int:
    delivery = JobKind(DELIVERY, "webhooks:write", "webhooks:write", partial(deliver, waits=waits))
    worker = JobWorker(workspace, [delivery], workspace)
    runs = 0
    while worker.run_next():
        runs += 1
    return runs


def run_until(workspace: Workspace, webhook_id: str, state: str, waits: tuple[timedelta, ...] = SOON) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while {one.state for one in page_of_deliveries(workspace, webhook_id, PageRequest(limit=50), None).items} != {state}:
        assert time.monotonic() < deadline
        run_due(workspace, waits)
        time.sleep(0.01)


def verify(seen: Seen, secret: str) -> dict:  # type: ignore[type-arg]
    """As a receiver does, by the specification alone."""
    headers = {name.lower(): value for name, value in seen.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + seen.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()
    assert f"v1,{expected}" in headers["webhook-signature"].split(" ")
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["content-type"] == "application/json"
    return json.loads(seen.body) | {"id": headers["webhook-id"]}


def test_a_receiver_that_verifies_gets_what_it_asked_for(site: WebServer, workspace_of: Workspace) -> None:
    created = create_webhook(workspace_of, request_for(site, "flag.raised", "policy.adopted"))
    assert created.secret is not None
    for number in range(3):
        tell(workspace_of, number)
    tell(workspace_of, event="flag.resolved")
    assert run_due(workspace_of) == 3
    got = [verify(seen, created.secret) for seen in site.seen]
    assert [(one["type"], one["data"]) for one in got] == [("flag.raised", {"flag_id": f"f{at}"}) for at in range(3)]
    shown = page_of_deliveries(workspace_of, created.id, PageRequest(limit=2), "delivered")
    assert [one.id for one in shown.items] == [one["id"] for one in got[:2]]
    assert (shown.items[0].attempts, shown.items[0].last_status, shown.items[0].last_error) == (1, 200, None)
    more = page_of_deliveries(workspace_of, created.id, PageRequest(shown.next_cursor, 2), None)
    assert [one.id for one in more.items] == [got[2]["id"]]
    assert run_due(workspace_of) == 0


def test_what_is_rolled_back_is_never_told(site: WebServer, workspace_of: Workspace) -> None:
    create_webhook(workspace_of, request_for(site))

    def tell_and_fail() -> None:
        with workspace_of.writing() as session:
            queue_event(session, "flag.raised", {"flag_id": "f"}, utc_now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tell_and_fail()
    assert run_due(workspace_of) == 0
    assert site.seen == []


def test_a_receiver_that_was_down_gets_it_when_it_is_up(tmp_path: Path, database_url: str) -> None:
    port = free_port()
    with opened(tmp_path, database_url, port) as workspace:
        url = f"http://{PUBLIC}:{port}/hook"
        created = create_webhook(workspace, WebhookRequest(url=url, events=("flag.raised",)))
        assert created.secret is not None
        tell(workspace)
        assert run_due(workspace, WAITS[:1]) == 1
        [down] = page_of_deliveries(workspace, created.id, PageRequest(limit=50), "pending").items
        assert (down.attempts, down.last_status, down.last_error) == (1, None, "connection_failed")
        assert down.tried_at is not None
        assert down.next_try_at is not None
        assert down.next_try_at > down.tried_at
        assert run_due(workspace) == 0  # its time has not come
        with workspace.writing() as session:
            session.execute(text("UPDATE job SET due_at = NULL"))
        with web_server(PUBLIC, port) as site:
            busy = iter([503, 302, 500])
            site.pages["/hook"] = lambda _handler: Page(b"", next(busy, 204), (("Location", "/elsewhere"),))
            run_until(workspace, created.id, "delivered", SOON * 2)
            messages = [verify(seen, created.secret) for seen in site.seen]
        assert site.paths() == ["/hook"] * 4
        assert {one["id"] for one in messages} == {down.id}
        [up] = page_of_deliveries(workspace, created.id, PageRequest(limit=50), None).items
        assert (up.state, up.attempts, up.last_status) == ("delivered", 5, 204)


def test_after_the_last_try_a_message_is_dead_until_somebody_asks(site: WebServer, workspace_of: Workspace) -> None:
    created = create_webhook(workspace_of, request_for(site, path="/broken"))
    site.pages["/broken"] = Page(b"secret of theirs", 500)
    tell(workspace_of)
    run_until(workspace_of, created.id, "dead")
    [dead] = page_of_deliveries(workspace_of, created.id, PageRequest(limit=50), "dead").items
    assert (dead.attempts, dead.last_status, dead.last_error, dead.next_try_at) == (4, 500, "status_not_2xx", None)
    assert len(site.seen) == len(SOON) + 1
    site.pages["/broken"] = Page(b"", 200)
    assert redeliver(workspace_of, created.id, dead.id).state == "pending"
    run_until(workspace_of, created.id, "delivered")
    with pytest.raises(ConflictError, match="expected a dead message"):
        redeliver(workspace_of, created.id, dead.id)


def test_a_message_whose_job_was_cancelled_can_be_sent_again(site: WebServer, workspace_of: Workspace) -> None:
    created = create_webhook(workspace_of, request_for(site))
    tell(workspace_of)
    [pending] = page_of_deliveries(workspace_of, created.id, PageRequest(limit=50), None).items
    with pytest.raises(ConflictError, match="one that is pending"):
        redeliver(workspace_of, created.id, pending.id)
    with workspace_of.writing() as session:
        [job] = session.execute(text("SELECT id FROM job")).scalars()
        cancel_job(session, job)
        session.execute(text("UPDATE webhook_delivery SET next_try_at = '2026-01-31 12:00:00'"))
    assert run_due(workspace_of) == 0
    redeliver(workspace_of, created.id, pending.id)
    run_until(workspace_of, created.id, "delivered")
    assert len(site.seen) == 1


def test_one_that_is_gone_or_deleted_gets_nothing_more(site: WebServer, workspace_of: Workspace) -> None:
    gone = create_webhook(workspace_of, request_for(site, path="/gone"))
    deleted = create_webhook(workspace_of, request_for(site))
    site.pages["/gone"] = Page(b"", 410)
    tell(workspace_of)
    delete_webhook(workspace_of, deleted.id)
    assert not secret_file(workspace_of.home, deleted.id).exists()
    run_due(workspace_of)
    tell(workspace_of, 1)
    assert run_due(workspace_of) == 0
    assert site.paths() == ["/gone"]
    [one] = page_of_deliveries(workspace_of, gone.id, PageRequest(limit=50), None).items
    assert (one.state, one.last_status) == ("dead", 410)
    with workspace_of.reading() as session:
        states = session.execute(text("SELECT state FROM webhook_delivery WHERE webhook_id = :id"), {"id": deleted.id})
        assert states.scalars().all() == ["dropped"]


@pytest.mark.parametrize(
    "url",
    [
        "http://{loopback}:{port}/hook",
        "https://{loopback}:{port}/hook",
        "http://8.8.8.8:{port}/hook",  # public, and not https
        "https://169.254.169.254:{port}/latest/meta-data",
        "https://[::ffff:127.0.0.1]:{port}/hook",
        "https://2130706433:{port}/hook",
        "https://user:password@{public}:{port}/hook",
        "http://{public}:22/hook",
        "ftp://{public}:{port}/hook",
    ],
)
def test_a_webhook_leads_nowhere_it_must_not(site: WebServer, tmp_path: Path, url: str) -> None:
    with opened(tmp_path, f"sqlite:///{tmp_path / 'sleeve.db'}", site.port) as workspace:
        wanted = url.format(loopback=LOOPBACK, public=PUBLIC, port=site.port)
        with pytest.raises((InputError, ValueError)) as refused:
            create_webhook(workspace, WebhookRequest(url=wanted, events=("flag.raised",)))
        assert getattr(refused.value, "code", "url_refused") == "url_refused"
        folder = secret_file(workspace.home, "any").parent
        assert not folder.exists() or not list(folder.iterdir())


def test_a_name_that_leads_inside_later_is_not_followed(site: WebServer, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'sleeve.db'}"
    with opened(tmp_path, database, site.port) as workspace:
        created = create_webhook(workspace, request_for(site))
    # The operator takes the network off the list: what was allowed at creation is asked about again at each try.
    settings = Settings(home=tmp_path / "home", database_url=database, fetch_allowed_ports=(site.port,))
    closed = open_workspace(settings)
    tell(closed)
    run_until(closed, created.id, "dead")
    [one] = page_of_deliveries(closed, created.id, PageRequest(limit=50), None).items
    assert (one.last_status, one.last_error) == (None, "url_refused")
    assert site.seen == []
    closed.engine.dispose()


def test_the_secret_is_shown_once_and_is_nowhere_else(
    site: WebServer, workspace_of: Workspace, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    world = build_world(workspace_of)
    with TestClient(create_app(workspace_of, world.gate), base_url="http://127.0.0.1") as client:
        body = {"url": site.url("/hook", PUBLIC), "events": ["check.decided", "flag.raised", "flag.reviewed"]}
        first = client.post("/v1/webhooks", json=body, headers={"Idempotency-Key": "w"})
        secret = first.json()["secret"]
        assert (first.status_code, first.headers["Cache-Control"]) == (201, "no-store")
        assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
        again = client.post("/v1/webhooks", json=body, headers={"Idempotency-Key": "w"}).json()
        assert (again["id"], again["secret"]) == (first.json()["id"], None)
        check = world.decided(FLAGGED)
        [flag] = client.get("/v1/flags").json()["items"]
        client.post(f"/v1/flags/{flag['id']}/reviews", json={"verdict": "confirm", "name": "Rita Reviewer"})
        deadline = time.monotonic() + WAIT_SECONDS
        while len(site.seen) < 3:  # by the server's own worker
            assert time.monotonic() < deadline
            time.sleep(0.02)
        messages = {one["type"]: one["data"] for one in (verify(seen, secret) for seen in site.seen)}
        assert messages["check.decided"]["check_id"] == check.id
        assert (messages["flag.raised"]["state"], messages["flag.reviewed"]["state"]) == ("raised", "reviewed")
        hook = first.headers["Location"]
        answers = [client.get(path).text for path in ("/v1/webhooks", hook, f"{hook}/deliveries")]
        assert client.get("/v1/webhooks/none").json()["code"] == "webhook_not_found"
        unknown_event, twice = {"events": ["tea.served"]}, {"events": ["flag.raised"] * 2}
        refused: list[dict[str, Any]] = [{"events": []}, twice, unknown_event, {"url": "mailto:a@b"}]
        for changed in refused:
            assert client.post("/v1/webhooks", json=body | changed).json()["code"] == "invalid_request"
        assert client.post("/v1/webhooks", json=body | {"url": "https://127.0.0.1/"}).json()["code"] == "url_refused"
        kept = secret_file(workspace_of.home, first.json()["id"])
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert load_secret(workspace_of.home, first.json()["id"]) == secret
        raw = secret.removeprefix("whsec_")
        printed = capsys.readouterr()
        for where in (*answers, again["url"], caplog.text, printed.out, printed.err, _dump(workspace_of)):
            assert raw not in where
        assert b"Rita" not in b"".join(seen.body for seen in site.seen)
        for path in workspace_of.home.rglob("*"):
            assert path == kept or not path.is_file() or raw.encode() not in path.read_bytes(), path
        kept.chmod(0o644)
        with pytest.raises(InputError, match="0600"):
            load_secret(workspace_of.home, first.json()["id"])
        assert client.delete(hook).status_code == 204
        assert client.delete(hook).status_code == 404
        assert not kept.exists()


def _dump(workspace: Workspace) -> str:
    tables = ("webhook", "webhook_delivery", "job", "idempotency_key", "commitment", "log_entry")
    with workspace.reading() as session:
        return "".join(str(session.execute(text(f"SELECT * FROM {table}")).all()) for table in tables)


def test_every_event_is_an_entry() -> None:
    assert set(EVENTS) <= set(BODY_BY_TYPE)


def test_a_handler_that_hangs_up_is_a_failed_try(site: WebServer, workspace_of: Workspace) -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.close()

    created = create_webhook(workspace_of, request_for(site))
    site.pages["/hook"] = hang_up
    tell(workspace_of)
    run_due(workspace_of, WAITS)
    [one] = page_of_deliveries(workspace_of, created.id, PageRequest(limit=50), "pending").items
    assert one.last_error == "connection_failed"
