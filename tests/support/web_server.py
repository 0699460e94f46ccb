"""A web server of pages that a test writes, on a loopback address, so that what is tested goes over real connections.

Linux answers on all of 127.0.0.0/8: one of its addresses stands for a public server, another for what must not be reached.
"""

import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shared.fetching.addresses import AddressPolicy
from shared.fetching.fetcher import Fetcher
from shared.fetching.limits import FetchLimits

# Stands for a public address: the only one that a test's fetcher may reach.
PUBLIC = "127.0.0.2"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Seen:
    """A request as the server got it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Page:
    """An answer."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


Answer = Page | Callable[[BaseHTTPRequestHandler], Page | None]


@dataclass
class WebServer:
    """Pages by path, each an answer or a function that gives or writes one; `anything` answers for all other paths."""

    port: int
    pages: dict[str, Answer] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    anything: Answer = Page(b"no such page", 404)

    def url(self, path: str, host: str = "public.test") -> str:
        return f"http://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        return [request.path for request in self.seen]


@contextmanager
def web_server(address: str = PUBLIC, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    """Serve pages until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            pass

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            site.seen.append(Seen(self.command, self.path, dict(self.headers.items()), self.rfile.read(length)))
            answer = site.pages.get(self.path, site.anything)
            page = answer(self) if callable(answer) else answer
            if page is not None:
                self.write(page)

        def do_POST(self) -> None:
            self.do_GET()

        def write(self, page: Page) -> None:
            self.send_response(page.status)
            for name, value in page.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            self.wfile.write(page.body)

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that hangs up early is what some tests are about

    server = Server((address, port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site = WebServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_fetcher(site: WebServer, hosts: Mapping[str, list[str]] | None = None, **limits: float) -> Fetcher:
    """A fetcher that may reach the public stand-in only, and knows names from a table."""
    known = {"public.test": [PUBLIC], "other.test": [PUBLIC], **(hosts or {})}
    policy = AddressPolicy((ipaddress.ip_network(f"{PUBLIC}/32"),), frozenset({site.port}))
    quick = FetchLimits(**{"total_seconds": 10.0, "backoff_seconds": 0.01, **limits})  # type: ignore[arg-type]
    return Fetcher(quick, policy, resolver=lambda host, _port: known.get(host, [host]))
