"""The guard of a server that needs no keys: only this machine's own requests pass, whatever a browser on it was lured to.

Rules, in order:

1. `Host` names loopback. A page whose name was pointed at 127.0.0.1 (DNS rebinding) sends its own name: 421.
2. A request that may change something and carries an `Origin` comes from this server's own pages, else the answer is 403.
   Browsers send the field with every such request of another page; programs do not send it.

Source: RFC 9110 sections 7.2 (Host) and 15.5.20 (421); Fetch standard, "Origin" header.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http.host import parse_host
from shared.http.problems import build_problem
from shared.settings import is_loopback

# RFC 9110 section 9.2.1: safe methods change nothing.
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class LoopbackOnly:
    """ASGI middleware that refuses what did not come for this machine's own server.

    Args:
        app: what is behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host, origin = headers.get("host", ""), headers.get("origin")
            if not is_loopback(parse_host(host) or ""):
                detail = f"expected a loopback name in Host, got {host[:100]!r}: without keys only this machine may ask"
                await build_problem(421, "host_not_loopback", detail)(scope, receive, send)
                return
            if scope["method"] not in SAFE and origin is not None and origin != f"{scope['scheme']}://{host}":
                detail = f"expected no Origin or this server's own, got {origin[:100]!r}"
                await build_problem(403, "origin_foreign", detail)(scope, receive, send)
                return
        await self._app(scope, receive, send)
