"""A receiver that is silent delays no other, on both databases; its own messages wait, in order, and a kill loses none."""

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from pathlib import Path

import pytest
from sqlalchemy import text

from services.output_gate.webhooks.delivery import RECEIVERS_AT_ONCE, WEBHOOK_JOBS
from services.output_gate.webhooks.outbox import queue_event
from services.output_gate.webhooks.schemas import WebhookRequest
from services.output_gate.webhooks.service import create_webhook, page_of_deliveries
from shared.clock import utc_now
from shared.http.paging import PageRequest
from shared.jobs.worker import running_worker
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.support.web_server import PUBLIC, Page, WebServer, web_server

MESSAGES = 5
# A try at a silent receiver takes fifteen.
SOON_SECONDS = 12.0


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as served:
        served.pages["/hook"] = Page(b"thanks", 200)
        yield served


def tell(workspace: Workspace) -> None:
    for number in range(MESSAGES):
        with workspace.writing() as session:
            queue_event(session, "flag.raised", {"flag_id": f"f{number}"}, utc_now())


def open_allowing(folder: Path, database_url: str, *ports: int) -> Workspace:
    settings = Settings(
        home=folder / "home",
        database_url=database_url,
        fetch_allowed_networks=(ip_network(f"{PUBLIC}/32"),),
        fetch_allowed_ports=ports,
    )
    return open_workspace(settings)


def create(workspace: Workspace, url: str) -> str:
    return create_webhook(workspace, WebhookRequest.model_validate({"url": url, "events": ["flag.raised"]})).id


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_silent_receiver_delays_no_other(site: WebServer, tmp_path: Path, database_url: str) -> None:
    with socket.create_server((PUBLIC, 0)) as silent:
        silent.setblocking(False)
        silent_port = silent.getsockname()[1]
        workspace = open_allowing(tmp_path, database_url, site.port, silent_port)
        # The silent one is first in every queue.
        urls = (f"http://{PUBLIC}:{silent_port}/", site.url("/hook", PUBLIC), site.url("/hook?2", PUBLIC))
        site.pages["/hook?2"] = Page(b"thanks", 200)
        quiet, *others = (create(workspace, url) for url in urls)
        tell(workspace)
        came: list[socket.socket] = []
        with running_worker(workspace, WEBHOOK_JOBS, workspace, RECEIVERS_AT_ONCE):
            wait_until(lambda: len(site.seen) == 2 * MESSAGES, SOON_SECONDS)
            try:
                while True:
                    came.append(silent.accept()[0])
            except BlockingIOError:
                pass
            # One message at a time: the others to it wait for the first.
            assert len(came) == 1
            silent.close()
            for one in came:
                one.close()
        for other, path in zip(others, ("/hook", "/hook?2"), strict=True):
            got = [one.headers["webhook-id"] for one in site.seen if one.path == path]
            kept = page_of_deliveries(workspace, other, PageRequest(limit=50), "delivered").items
            assert got == [one.id for one in kept]
            assert [one.payload["data"]["flag_id"] for one in kept] == [f"f{number}" for number in range(MESSAGES)]
        assert len(page_of_deliveries(workspace, quiet, PageRequest(limit=50), "pending").items) == MESSAGES
        workspace.engine.dispose()


def send_in_a_process(settings: Settings) -> None:
    workspace = open_workspace(settings)
    with running_worker(workspace, WEBHOOK_JOBS, workspace, RECEIVERS_AT_ONCE):
        time.sleep(60)


def test_what_a_killed_process_was_sending_is_sent_again_and_in_order(
    site: WebServer, tmp_path: Path, database_url: str
) -> None:
    workspace = open_allowing(tmp_path, database_url, site.port)
    webhook = create(workspace, site.url("/hook", PUBLIC))
    tell(workspace)
    is_killed = threading.Event()

    def say_nothing(_handler: BaseHTTPRequestHandler) -> None:
        is_killed.wait(60)

    site.pages["/hook"] = say_nothing
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=send_in_a_process, args=[workspace.settings], daemon=True)
    process.start()
    wait_until(lambda: len(site.seen) == 1)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    is_killed.set()
    site.pages["/hook"] = Page(b"thanks", 200)
    with workspace.writing() as session:
        # Six seconds later: the lease of the killed one has run out.
        session.execute(text("UPDATE job SET lease_until = '2026-01-31 12:00:00' WHERE state = 'running'"))
    with running_worker(workspace, WEBHOOK_JOBS, workspace, RECEIVERS_AT_ONCE):
        wait_until(lambda: len(page_of_deliveries(workspace, webhook, PageRequest(limit=50), "delivered").items) == MESSAGES)
    ids = [one.id for one in page_of_deliveries(workspace, webhook, PageRequest(limit=50), None).items]
    assert [one.headers["webhook-id"] for one in site.seen] == [ids[0], *ids]
    workspace.engine.dispose()
