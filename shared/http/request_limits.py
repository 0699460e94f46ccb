"""Limits of every HTTP request, checked before anything of it is parsed.

Rules, in order:

1. A body is counted as it arrives. What exceeds the limit of its path is refused with 413 and not read, whether its length was
   stated or not. Paths that take streams have limits of their own.
2. `Host` names one host and at most a port, once; anything else is refused with 400.
3. A zero character in path or query is refused: no name holds one, and PostgreSQL has no text with one.

Source: RFC 9110 sections 7.2 and 15.5.14; RFC 9112 section 3.2 (400); RFC 3986 section 7.3; PostgreSQL manual, section 8.3.
"""

from collections.abc import Collection, Mapping

from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.host import parse_host
from shared.http.problems import build_problem


class RequestBounds:
    """ASGI middleware that holds the bounds.

    Args:
        app: what is behind it.
        max_body_bytes: the longest body of a path that has no limit of its own.
        path_bytes: the longest body of a path that has one; paths as routes state them.
        streams: paths whose bodies are not counted.
    """

    def __init__(
        self, app: ASGIApp, max_body_bytes: int, path_bytes: Mapping[str, int] | None = None, streams: Collection[str] = ()
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        limits = dict(path_bytes or {})
        # A path without parameters is looked up. It goes before a template, as routes without parameters are stated first.
        self._exact_bytes = {path: max_bytes for path, max_bytes in limits.items() if "{" not in path}
        self._template_bytes = [(compile_path(path)[0], limits[path]) for path in limits if "{" in path]
        self._streams = frozenset(streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with what is wrong."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif not _has_valid_host(scope):
            detail = "expected one Host field with a name or an address and at most a port"
            await build_problem(400, "host_invalid", detail)(scope, receive, send)
        elif "\0" in scope["path"] or b"%00" in scope["query_string"]:
            detail = "expected a path and query without zero characters"
            await build_problem(422, "zero_character", detail)(scope, receive, send)
        elif scope["path"] in self._streams:
            await self._app(scope, receive, send)
        else:
            await self._pass_bounded(scope, receive, send)

    def find_limit(self, path: str) -> int:
        """Return the longest body that a path takes, in bytes."""
        exact = self._exact_bytes.get(path)
        if exact is not None:
            return exact
        return next((max_bytes for pattern, max_bytes in self._template_bytes if pattern.match(path)), self._max_body_bytes)

    async def _pass_bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        max_bytes = self.find_limit(scope["path"])
        if _stated_length(scope) > max_bytes:
            await build_problem(413, "http_413", _detail(max_bytes))(scope, receive, send)
        else:
            await self._app(scope, _counted(receive, max_bytes), send)


def _counted(receive: Receive, max_bytes: int) -> Receive:
    received_bytes = 0

    async def counting() -> Message:
        nonlocal received_bytes
        message = await receive()
        received_bytes += len(message.get("body", b""))
        if received_bytes > max_bytes:
            raise HTTPException(413, _detail(max_bytes), headers={"Connection": "close"})
        return message

    return counting


def _detail(max_bytes: int) -> str:
    return f"body too large: expected at most {max_bytes:,} bytes"


def _has_valid_host(scope: Scope) -> bool:
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    # HTTP/1.0 has no such field.
    return (not hosts and scope.get("http_version") == "1.0") or (len(hosts) == 1 and parse_host(hosts[0]) is not None)


def _stated_length(scope: Scope) -> int:
    stated = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(stated) if stated.isdigit() else 0
