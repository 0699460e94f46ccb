"""The demo as a client: a real server on a free loopback port, and checks sent to it over REST."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from services.server.listener import build_server
from shared.errors import UnavailableError
from shared.settings import Settings

START_TIMEOUT_SECONDS = 60.0
# A check takes milliseconds; the first one also compiles the search.
REQUEST_TIMEOUT_SECONDS = 120.0


@contextmanager
def running_server(settings: Settings) -> Iterator[httpx.Client]:
    """Run the three services on a free loopback port, and hand out a client for them.

    Raises:
        UnavailableError: the server did not start.
    """
    server = build_server(settings.model_copy(update={"host": "127.0.0.1", "port": 0, "authentication": "none"}))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise UnavailableError("the server did not start")
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=REQUEST_TIMEOUT_SECONDS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(START_TIMEOUT_SECONDS)


def post_check(client: httpx.Client, model: str, picture: bytes, key: str) -> dict[str, Any]:
    """Send one picture to the gate.

    Raises:
        UnavailableError: the answer is no check.
    """
    response = client.post(
        "/v1/checks",
        files={"image": ("generation.png", picture, "image/png")},
        data={"model": model},
        headers={"Idempotency-Key": key},
    )
    if response.status_code != httpx.codes.CREATED:
        raise UnavailableError(f"expected 201 from POST /v1/checks, got {response.status_code}: {response.text}")
    answer: dict[str, Any] = response.json()
    return answer
