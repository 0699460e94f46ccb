"""A receiver that is silent delays no other, on both databases; its own messages wait, in order."""

import socket
import time
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import pytest

from services.output_gate.webhooks.delivery import RECEIVERS_AT_ONCE, WAITS, deliver
from services.output_gate.webhooks.outbox import DELIVERY, queue_event
from services.output_gate.webhooks.schemas import WebhookRequest
from services.output_gate.webhooks.service import create_webhook, page_of_deliveries
from shared.clock import utc_now
from shared.jobs import running_worker
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace
from tests.web_server import PUBLIC, Page, WebServer, web_server

MESSAGES = 5
# A try at a silent receiver takes fifteen.
SOON_SECONDS = 8.0


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as served:
        served.pages["/hook"] = Page(b"thanks", 200)
        yield served


def tell(workspace: Workspace) -> None:
    for number in range(MESSAGES):
        with workspace.writing() as session:
            queue_event(session, "flag.raised", {"flag_id": f"f{number}"}, utc_now())


def test_a_silent_receiver_delays_no_other(site: WebServer, tmp_path: Path, database_url: str) -> None:
    with socket.create_server((PUBLIC, 0)) as silent:
        silent.setblocking(False)
        silent_port = silent.getsockname()[1]
        settings = Settings(
            home=tmp_path / "home",
            database_url=database_url,
            fetch_allowed_networks=(ip_network(f"{PUBLIC}/32"),),
            fetch_allowed_ports=(site.port, silent_port),
        )
        workspace = open_workspace(settings)
        # The silent one is first in every queue.
        urls = (f"http://{PUBLIC}:{silent_port}/", site.url("/hook", PUBLIC), site.url("/hook?2", PUBLIC))
        site.pages["/hook?2"] = Page(b"thanks", 200)
        quiet, *others = (
            create_webhook(workspace, WebhookRequest.model_validate({"url": url, "events": ["flag.raised"]})) for url in urls
        )
        tell(workspace)
        came: list[socket.socket] = []
        begun = time.monotonic()
        with running_worker(workspace, {DELIVERY: partial(deliver, waits=WAITS)}, RECEIVERS_AT_ONCE):
            while len(site.seen) < 2 * MESSAGES:
                assert time.monotonic() < begun + SOON_SECONDS, site.paths()
                time.sleep(0.02)
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
            kept = page_of_deliveries(workspace, other.id, None, 50, "delivered").items
            assert got == [one.id for one in kept]
            assert [one.payload["data"]["flag_id"] for one in kept] == [f"f{number}" for number in range(MESSAGES)]
        assert len(page_of_deliveries(workspace, quiet.id, None, 50, "pending").items) == MESSAGES
        workspace.engine.dispose()
