"""Slow, silent and deaf clients against a real server: each is cut off, and none shuts others out."""

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from services.server import connections
from services.server.connections import TimedServer, build_timed_server

MAX_CONNECTIONS = 20
HEAD = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
PATIENCE_SECONDS = 10.0


def build_app() -> FastAPI:
    app = FastAPI()

    @app.post("/read")
    @app.post("/v1/items/batch")
    async def read(request: Request) -> int:
        return len(await request.body())

    @app.get("/much")
    async def much() -> StreamingResponse:
        return StreamingResponse(b"x" * 2**20 for _ in range(200))

    @app.get("/never")
    async def never() -> None:
        await asyncio.sleep(3600)

    return app


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[TimedServer]:
    for name, seconds in {"HEAD": 1.5, "BODY": 1.5, "UNREAD": 1.5, "ANSWER": 60, "STREAM": 4}.items():
        monkeypatch.setattr(connections, f"{name}_SECONDS", seconds)
    built = build_timed_server(
        build_app(), max_connections=MAX_CONNECTIONS, shutdown_seconds=1, host="127.0.0.1", port=0, log_level="warning"
    )
    thread = threading.Thread(target=built.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not built.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield built
    built.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def port_of(server: TimedServer) -> int:
    return int(server.servers[0].sockets[0].getsockname()[1])


def connect(server: TimedServer, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port_of(server)), timeout=PATIENCE_SECONDS)
    connection.sendall(sent)
    return connection


def seconds_until_cut(connection: socket.socket, drip: bytes = b"") -> float:
    """Wait for the end of a connection, sending a byte now and then."""
    begun = time.monotonic()
    connection.settimeout(0.25)
    while time.monotonic() - begun < PATIENCE_SECONDS:
        try:
            if drip:
                connection.sendall(drip)
            if not connection.recv(2**16):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begun


@pytest.mark.parametrize("sent", [b"", b"GET /mu", b"GET /much HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_head_that_does_not_come_is_not_waited_for(server: TimedServer, sent: bytes) -> None:
    with connect(server, sent) as connection:
        assert 0.5 < seconds_until_cut(connection, drip=b"a" if sent else b"") < 5


def test_a_body_that_drips_is_not_waited_for(server: TimedServer) -> None:
    with connect(server, HEAD) as connection:
        assert 0.5 < seconds_until_cut(connection, drip=b"a") < 5


def test_a_body_that_is_slow_but_comes_is_read(server: TimedServer) -> None:
    with connect(server, HEAD.replace(b"1000000", b"40000")) as connection:
        for _ in range(10):
            connection.sendall(b"a" * 4000)
            time.sleep(0.3)
        assert connection.recv(2**16).startswith(b"HTTP/1.1 200")


def test_a_stream_may_pause(server: TimedServer) -> None:
    with connect(server, HEAD.replace(b"/read", b"/v1/items/batch").replace(b"1000000", b"2")) as connection:
        for _ in range(2):
            time.sleep(2.5)
            connection.sendall(b"a")
        assert connection.recv(2**16).startswith(b"HTTP/1.1 200")


def test_an_answer_that_nobody_reads_is_cut_off(server: TimedServer) -> None:
    with connect(server, b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n"):
        deadline = time.monotonic() + PATIENCE_SECONDS
        time.sleep(0.5)
        assert server.server_state.connections
        while server.server_state.connections:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_many_silent_connections_shut_nobody_out(server: TimedServer) -> None:
    with ExitStack() as stack:
        for number in range(5 * MAX_CONNECTIONS):
            stack.enter_context(connect(server, b"GET /much HTTP/1.1\r\n" if number % 2 else b""))
        begun = time.monotonic()
        assert httpx.post(f"http://127.0.0.1:{port_of(server)}/read", content=b"ab").json() == 2
        assert time.monotonic() - begun < 2
        assert len(server.server_state.connections) <= MAX_CONNECTIONS


def test_where_every_connection_has_a_request_the_next_one_is_closed(server: TimedServer) -> None:
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            stack.enter_context(connect(server, b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n"))
        time.sleep(0.5)
        assert seconds_until_cut(stack.enter_context(connect(server))) < 1
        assert len(server.server_state.connections) == MAX_CONNECTIONS


def test_a_stop_waits_for_no_deaf_client(server: TimedServer) -> None:
    with connect(server, b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n"), connect(server, b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n"):
        time.sleep(0.3)
        begun = time.monotonic()
        server.handle_exit(signal.SIGTERM, None)
        while server.servers[0].is_serving() or server.server_state.connections:
            assert time.monotonic() - begun < 5
            time.sleep(0.05)
