"""Connections with deadlines: a slow, silent or deaf client holds nothing for long, and no number of them shuts others out.

Rules, in order:

1. A request's head arrives within `HEAD_SECONDS`, counted from the connection or from the end of the answer before it.
2. Its body arrives at `BODY_BYTES_A_SECOND` or faster, after a grace of `BODY_SECONDS`. The clock begins anew where the server
   did not read, and a body that is answered as it comes (`STREAMS`) may pause for `STREAM_SECONDS`.
3. An answer that the client stopped reading is cut off after `UNREAD_SECONDS`. One that it reads too slowly is cut off after
   `ANSWER_SECONDS`, but for that of a stream.
4. Where there are as many connections as are allowed, the one that has waited longest for a request's head makes room for the
   next one. Where each has a request, the next one is closed at once.
5. When the server stops, requests have `shutdown_seconds` to end. Connections that are left are then cut off.

uvicorn has a limit for keep-alive and one for the shutdown, and none for the rest. Why these numbers: docs/methods/server.md.
"""

import asyncio
from collections import Counter
from collections.abc import Collection
from time import monotonic
from typing import Any

import h11
import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
BODY_BYTES_A_SECOND = 4096
STREAM_SECONDS = 300.0
UNREAD_SECONDS = 30.0
ANSWER_SECONDS = 300.0
# What reads its body as it comes, line by line, each of a bounded length, and answers meanwhile.
STREAMS: Collection[str] = frozenset({"/v1/items/batch"})
# A key, a cookie and a long query fit several times over.
MAX_HEAD_BYTES = 32 * 2**10
CHECK_TICKS = 10  # uvicorn ticks ten times a second

log = structlog.get_logger()


class TimedConnection(H11Protocol):
    """A connection of HTTP/1.1 that knows how long it has waited for its client."""

    max_connections: int = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; make room where there are too many connections."""
        super().connection_made(transport)
        self._since = monotonic()
        self._body_bytes = 0
        self._unread_bytes, self._unread_since, self._unsent_since = 0, self._since, self._since
        if self.max_connections and len(self.connections) > self.max_connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Take what came, and begin a clock of its own for each request."""
        cycle = self.cycle
        super().data_received(data)
        if self.cycle is not cycle:
            self._since, self._body_bytes = monotonic(), 0
        elif self.is_reading_body:
            self._body_bytes += len(data)
            if self._is_stream:
                self._since = monotonic()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._since = monotonic()
        super().on_response_complete()

    @property
    def waits_for_head(self) -> bool:
        """Whether no request is in progress."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def is_reading_body(self) -> bool:
        """Whether a request's body has not arrived in full."""
        return not self.waits_for_head and self.conn.their_state is h11.SEND_BODY

    @property
    def waiting_seconds(self) -> float:
        """How long the client has let the server wait for what is due."""
        return monotonic() - self._since

    def find_delay(self, now: float) -> str | None:
        """Say what a client is too slow with; None where it is not."""
        if self._is_unread(now):
            return "answer"
        waited = now - self._since
        if self.waits_for_head:
            return "head" if waited > HEAD_SECONDS else None
        if not self.is_reading_body:
            return None
        if self.flow.read_paused:
            # Nobody waits for the client: the work is behind.
            self._since, self._body_bytes = now, 0
            return None
        if self._is_stream:
            return "body" if waited > STREAM_SECONDS else None
        return "body" if waited > BODY_SECONDS + self._body_bytes / BODY_BYTES_A_SECOND else None

    def cut_off_if_slow(self, now: float) -> str | None:
        """End the connection if its client is too slow, and say with what."""
        delay = self.find_delay(now)
        if delay is not None:
            self.transport.abort()
        return delay

    def _is_unread(self, now: float) -> bool:
        """Whether an answer has waited in the buffer without getting any shorter, or for far too long."""
        unread_bytes = self.transport.get_write_buffer_size()
        if not unread_bytes:
            self._unsent_since = now
        if not unread_bytes or unread_bytes != self._unread_bytes:
            self._unread_bytes, self._unread_since = unread_bytes, now
        is_slow = now - self._unsent_since > ANSWER_SECONDS and not self._is_stream
        return is_slow or now - self._unread_since > UNREAD_SECONDS

    @property
    def _is_stream(self) -> bool:
        return self.scope is not None and self.scope["path"] in STREAMS

    def _make_room(self) -> None:
        waiting = [
            other
            for other in self.connections
            if isinstance(other, TimedConnection) and other.waits_for_head and other is not self
        ]
        crowded_out = max(waiting, key=lambda other: other.waiting_seconds, default=self)
        crowded_out.transport.abort()
        # At once: its own end is heard of later, and until then it would be chosen again.
        self.connections.discard(crowded_out)


class TimedServer(uvicorn.Server):
    """A server that looks after the deadlines of its connections."""

    async def on_tick(self, counter: int) -> bool:
        """Cut off, once a second, whoever is too slow."""
        if counter % CHECK_TICKS == 0:
            self._cut_off_the_slow()
        return await super().on_tick(counter)

    def _cut_off_the_slow(self) -> None:
        now = monotonic()
        connections = [each for each in self.server_state.connections if isinstance(each, TimedConnection)]
        delays = Counter(delay for connection in connections if (delay := connection.cut_off_if_slow(now)))
        if delays:
            log.warning("connections_timed_out", **delays)

    async def shutdown(self, sockets: Any = None) -> None:
        """Stop; what is left of connections when the time is over is cut off."""
        cut = asyncio.get_running_loop().call_later(self.config.timeout_graceful_shutdown or 0, self._cut_off)
        try:
            await super().shutdown(sockets)
        finally:
            cut.cancel()

    def _cut_off(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def build_timed_server(app: Any, *, max_connections: int, shutdown_seconds: int, **options: Any) -> TimedServer:
    """Build a server over an application.

    Args:
        app: an ASGI application.
        max_connections: how many connections may be open at once.
        shutdown_seconds: how long requests may take to end when the server is stopped.
        options: of uvicorn, such as host and port.
    """
    protocol = type("LimitedConnection", (TimedConnection,), {"max_connections": max_connections})
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        timeout_graceful_shutdown=shutdown_seconds,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        **options,
    )
    return TimedServer(config)
