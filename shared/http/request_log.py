"""The access log: one event a request, and an id that ties events, answers and the caller's own notes together.

Rules, in order:

1. A request's `X-Request-ID` is taken over where it is short and plain; another one, or none, is replaced by one of ours.
   Every answer gives it back, every problem names it, and every event that is logged for the request carries it.
2. An event says request id, key id, method, route, status and milliseconds. The route is the path as it is declared, such as
   `/v1/items/{item_id}`. Bodies, query values, addresses and keys are never logged.
3. What fails unexpectedly is answered here, so that this answer has its id as well, and is raised again for the server's log.

Source: docs/runbooks/deploy.md, "Which key did this?".
"""

import re
from collections.abc import Sequence
from time import perf_counter

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from shared.auth.access import DeclaredRoute, declared_routes, find_route
from shared.http.authentication import KEY_ID
from shared.http.problems import build_problem
from shared.ids import new_id
from shared.logging import access_logger

HEADER = "X-Request-ID"
# What other servers make: UUIDs, ULIDs, trace ids; nothing that could break a line or a shell.
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,127}", re.ASCII)

log = structlog.get_logger()


class RequestLog:
    """ASGI middleware that names and logs every request; the outermost.

    Args:
        app: what is behind it.
        logs_access: whether an event is logged for each request.
    """

    def __init__(self, app: ASGIApp, *, logs_access: bool = True) -> None:
        self._app = app
        self._access_log = access_logger() if logs_access else None
        self._routes: Sequence[DeclaredRoute] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on under its id, and log how it was answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, start, status = _find_request_id(scope), perf_counter(), 0

        async def named_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, named_send)
            except Exception:
                if not status:
                    detail = "the server failed; its log says why"
                    await build_problem(500, "internal_error", detail)(scope, receive, named_send)
                raise
            finally:
                self._log(scope, status, perf_counter() - start)

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        if self._access_log is not None:
            self._access_log.info(
                "request",
                key=scope.get(KEY_ID),
                method=scope["method"][:16],
                route=self._find_route(scope),
                status=status or None,
                milliseconds=round(seconds * 1000, 1),
            )

    def _find_route(self, scope: Scope) -> str | None:
        """Return the path as declared; None where there is no such route, since paths are the caller's own words."""
        if self._routes is None:
            self._routes = tuple(declared_routes(scope["app"]))
        route = find_route(self._routes, scope["method"], scope["path"])
        return None if route is None else route.path


def _find_request_id(scope: Scope) -> str:
    stated = next((value for name, value in scope["headers"] if name == HEADER.lower().encode()), b"").decode("latin-1")
    return stated if _SANE.fullmatch(stated) else new_id()
