"""The log over HTTP: served as C2SP tlog-tiles, and verified over the wire from a real server."""

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from sqlalchemy.orm import Session

from shared.errors import InputError, UnavailableError, VerificationError
from shared.ledger import http_reader
from shared.ledger.checkpoint import sign_checkpoint
from shared.ledger.log import Log
from shared.ledger.repository import insert_entries
from shared.ledger.verify import verify_growth, verify_log
from shared.workspace import Workspace
from tests.support.live_server import build_log_app, serve

PROBLEM = "application/problem+json"
# How often a server of the standard library looks whether it shall end.
POLL_SECONDS = 0.02


def grow(workspace: Workspace, count: int) -> Log:
    """Append short entries; to the tree an entry is any bytes."""
    with Session(workspace.engine) as session:
        insert_entries(session, [f"entry {number}".encode() for number in range(count)])
        session.commit()
    workspace.log.integrate()
    return workspace.log


@pytest.fixture
def url(workspace: Workspace) -> Iterator[str]:
    with serve(build_log_app(workspace)) as address:
        yield address


def test_every_file_is_served_as_it_is_and_may_be_kept(workspace: Workspace, url: str) -> None:
    log = grow(workspace, 600)
    for path in (str(file.relative_to(log.folder)) for file in log.folder.rglob("tile/**/*") if file.is_file()):
        answer = httpx.get(f"{url}/{path}")
        assert (answer.status_code, answer.content) == (200, (log.folder / path).read_bytes())
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    checkpoint = httpx.get(f"{url}/checkpoint")
    assert (checkpoint.text, checkpoint.headers["Cache-Control"]) == (log.checkpoint().note, "no-store")
    assert checkpoint.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_an_unfinished_tile_that_was_dropped_is_the_head_of_the_full_one(workspace: Workspace, url: str) -> None:
    grow(workspace, 44)
    before = {path: httpx.get(f"{url}/{path}").content for path in ("tile/0/000.p/44", "tile/entries/000.p/44")}
    log = grow(workspace, 300)
    for path, content in before.items():
        assert not (log.folder / path).exists()
        answer = httpx.get(f"{url}/{path}")
        assert (answer.status_code, answer.content) == (200, content)


NO_TILES = [
    "tile/0/001",
    "tile/0/000.p/43",  # never published, and there is no full one
    "tile/0/000.p/256",
    "tile/0/000.p/300",
    "tile/0/000.p/044",
    "tile/0/000.p",
    "tile/0",
    "tile/",
    "tile/64/000",
    "tile/0/0",
    "tile/0/000/",
    "tile//0/000",
    "tile/0/000%00",
    "tile/%2e%2e/.lock",
    "tile/..%2f.lock",
    "tile/0/..%2f..%2f..%2fkeys%2flog.pem",
    "tile/../../keys/log.pem",
    ".lock",
    ".tmp/0",
    "tile/.tmp/0",
]


def test_what_is_no_tile_of_this_log_is_a_problem(workspace: Workspace, url: str) -> None:
    log = grow(workspace, 44)
    (log.folder / ".tmp").mkdir(exist_ok=True)
    (log.folder / ".tmp" / "0").write_bytes(b"half")
    for path in NO_TILES:
        # As bytes on the wire: a client would take the dots out.
        answer = httpx.get(httpx.URL(url).copy_with(raw_path=f"/{path}".encode()))
        assert (path, answer.status_code, answer.headers["Content-Type"]) == (path, 404, PROBLEM)
        assert "immutable" not in answer.headers.get("Cache-Control", "")


def test_a_log_is_verified_over_http(workspace: Workspace, url: str) -> None:
    for count in (520, 30, 40, 2000):
        grow(workspace, count)
    log = workspace.log
    assert verify_log(url, log.vkey) == verify_log(f"{url}/", log.vkey) == verify_log(log.folder, log.vkey)
    assert verify_log(url, log.vkey).size == 2590


@pytest.mark.parametrize("path", ["tile/0/000", "tile/1/000.p/3", "tile/entries/002", "tile/entries/003.p/1"])
def test_damage_is_found_over_http(workspace: Workspace, url: str, path: str) -> None:
    log = grow(workspace, 769)
    data = (log.folder / path).read_bytes()
    (log.folder / path).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    # Of a server that hands out files as they are, the verifier says which one is wrong; this one hands out none that is.
    with pytest.raises(VerificationError, match=path):
        verify_log(log.folder, log.vkey)
    with pytest.raises(UnavailableError, match="got 500"):
        verify_log(url, log.vkey)
    (log.folder / path).write_bytes(data)
    assert verify_log(url, log.vkey).size == 769
    (log.folder / path).unlink()
    with pytest.raises(VerificationError, match=f"{path}: expected this file in {url}, got none"):
        verify_log(url, log.vkey)


def test_growth_is_proved_over_http(workspace: Workspace, url: str) -> None:
    checkpoints = [grow(workspace, count).checkpoint() for count in (5, 300, 700)]
    for old in checkpoints:
        verify_growth(old, checkpoints[-1], url)
    forked = sign_checkpoint(workspace.log._signer, 400, bytes(32))
    with pytest.raises(VerificationError, match=f"expected size 1005 to continue size 400, got no proof of it from {url}"):
        verify_growth(forked, checkpoints[-1], url)


def test_an_unfinished_tile_that_goes_while_the_log_is_verified_does_no_harm(
    workspace: Workspace, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = grow(workspace, 300)
    read = http_reader.HttpReader.read

    def grow_after_the_checkpoint(reader: http_reader.HttpReader, path: str) -> bytes | None:
        data = read(reader, path)
        if path == "checkpoint":
            grow(workspace, 300)
        return data

    monkeypatch.setattr(http_reader.HttpReader, "read", grow_after_the_checkpoint)
    assert verify_log(url, log.vkey).size == 300


# --- what is no log ----------------------------------------------------------------------------------------------------


class BadServer(http.server.BaseHTTPRequestHandler):
    """Answers as the first part of the path says."""

    size: ClassVar[int] = 0

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        self.send_response(status)
        self.send_header("Content-Length", str(self.size))
        if status == 302:
            self.send_header("Location", self.path)
        self.end_headers()
        self.wfile.write(bytes(min(self.size, 1000)))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def bad_server() -> Iterator[Callable[[int], str]]:
    servers = []

    def start(size: int) -> str:
        handler = type("Handler", (BadServer,), {"size": size})
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, args=(POLL_SECONDS,)).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [500, 503, 403, 302])
def test_a_server_that_errs_says_nothing_about_the_log(
    workspace: Workspace, bad_server: Callable[[int], str], status: int
) -> None:
    with pytest.raises(UnavailableError, match=r"expected (status 200 or 404, got|an answer, got Exceeded)"):
        verify_log(f"{bad_server(0)}/{status}", workspace.log.vkey)


def test_an_answer_that_breaks_off_says_nothing_about_the_log(workspace: Workspace, bad_server: Callable[[int], str]) -> None:
    with pytest.raises(UnavailableError, match="expected an answer, got peer closed"):
        verify_log(f"{bad_server(2000)}/200", workspace.log.vkey)


def test_an_answer_without_end_is_cut_off(
    workspace: Workspace, bad_server: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_reader, "MAX_RESOURCE_BYTES", 999)
    with pytest.raises(VerificationError, match="expected at most 999 bytes, got more"):
        verify_log(f"{bad_server(1000)}/200", workspace.log.vkey)


def test_a_server_without_a_log_is_told_from_one_that_is_down(workspace: Workspace, bad_server: Callable[[int], str]) -> None:
    with pytest.raises(VerificationError, match="checkpoint: expected this file in http"):
        verify_log(f"{bad_server(0)}/404", workspace.log.vkey)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        with pytest.raises(UnavailableError, match=r"expected an answer, got .*refused"):
            verify_log(f"http://127.0.0.1:{taken.getsockname()[1]}", workspace.log.vkey)


def test_a_silent_server_is_given_up(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_reader, "TIMEOUT", httpx.Timeout(0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnavailableError, match=r"timed out|ReadTimeout"):
        verify_log(f"http://127.0.0.1:{silent.getsockname()[1]}", workspace.log.vkey)


def test_a_url_that_is_none_is_refused(workspace: Workspace) -> None:
    with pytest.raises(InputError, match=r"expected a folder or an http\(s\) URL"):
        verify_log("http://[::1", workspace.log.vkey)


def test_any_web_server_can_serve_the_folder(workspace: Workspace, tmp_path: Path) -> None:
    log = grow(workspace, 600)
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(log.folder))) as server:
        threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,)).start()
        try:
            assert verify_log(f"http://127.0.0.1:{server.server_port}", log.vkey).size == 600
        finally:
            server.shutdown()
