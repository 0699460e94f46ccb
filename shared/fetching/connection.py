"""One request on one connection, to addresses that were checked before, within one deadline.

Rules, in order:

1. The connection goes to the given addresses and nowhere else. The name is used for TLS (SNI and certificate) and the Host
   header only, and is never resolved here.
2. Every wait for the network is cut to what is left of the deadline, so a peer that sends a byte at a time gains nothing.
3. Header and body are read up to their limits. What is longer is an error, never a shortened answer.
4. A connection serves one request. Nothing that was checked for one URL is used again for another.
"""

import ssl
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import httpcore

from shared.clock import utc_now
from shared.errors import UnavailableError
from shared.fetching.addresses import Target

Headers = tuple[tuple[str, str], ...]

# What httpcore raises for a peer that is slow, gone, or speaks no HTTP.
_NETWORK_ERRORS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
# RFC 9110 section 8.4.1: the codings that zlib reads; `x-gzip` is an alias of gzip.
_ZLIB_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
# zlib's manual, inflateInit2: 32 more than the window size finds gzip's or zlib's header by itself.
_ZLIB_ANY_HEADER = zlib.MAX_WBITS | 32


@dataclass(frozen=True)
class ExchangeLimits:
    """Caps on one exchange."""

    max_bytes: int
    max_header_bytes: int
    connect_seconds: float
    idle_seconds: float


@dataclass(frozen=True)
class Request:
    """What is asked of a target; `headers` are all that go out, in their order."""

    target: Target
    method: str
    headers: Headers
    content: bytes = b""


@dataclass(frozen=True)
class Exchange:
    """A request and its answer: `sent_body` as it came, without transfer coding; `body` without content coding too."""

    request: Request
    address: str
    started_at: datetime
    status: int
    reason: str
    headers: Headers
    sent_body: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's value, several joined by commas (RFC 9110 section 5.3); None where there is none."""
        values = [value for header_name, value in self.headers if header_name.lower() == name.lower()]
        return ", ".join(values) if values else None


class Deadline:
    """The time by which everything has to be done.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self._allowed_seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining_seconds(self) -> float:
        """Return the time left, which is more than nothing.

        Raises:
            UnavailableError: code `fetch_timeout`; there is none.
        """
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise UnavailableError(f"expected an end within {self._allowed_seconds:g} s, got none", code="fetch_timeout")
        return remaining

    def clamp(self, seconds: float | None) -> float:
        """Return a timeout cut to the time left."""
        remaining = self.remaining_seconds()
        return remaining if seconds is None else min(seconds, remaining)


def send_request(
    request: Request, addresses: Sequence[str], limits: ExchangeLimits, deadline: Deadline, tls: ssl.SSLContext
) -> Exchange:
    """Make one request.

    Args:
        request: what to ask.
        addresses: checked; tried in their order until one accepts a connection.
        limits: caps on the answer and on silences.
        deadline: of everything.
        tls: how certificates are verified.

    Raises:
        UnavailableError: code `connection_failed` where the peer is gone, silent or no HTTP server; `fetch_timeout` past the
            deadline; `body_too_large`, `headers_too_large`, `coding_unknown` or `body_damaged` for an answer not accepted.
    """
    backend = _PinnedBackend(addresses, deadline)
    started_at = utc_now()
    try:
        with httpcore.HTTPConnection(_build_origin(request.target), tls, network_backend=backend) as connection:
            response = connection.handle_request(_build_request(request, limits))
            try:
                headers = _read_headers(response, limits.max_header_bytes)
                sent = _read_body(response, headers, limits.max_bytes)
            finally:
                response.close()
    except _NETWORK_ERRORS as error:
        deadline.remaining_seconds()
        reason = str(error) or type(error).__name__
        raise UnavailableError(f"{request.target.url}: expected an answer, got {reason}", code="connection_failed") from error
    reason = bytes(response.extensions.get("reason_phrase", b"")).decode("latin-1")
    exchange = Exchange(request, backend.connected, started_at, response.status, reason, headers, sent, sent)
    coding = exchange.header("content-encoding")
    return exchange if coding is None else _decoded(exchange, coding, limits.max_bytes)


def decode_body(sent: bytes, coding: str, max_bytes: int) -> bytes:
    """Undo a content coding, writing no more than the cap.

    Args:
        sent: the body as it came.
        coding: of the Content-Encoding header.
        max_bytes: how long the result may be.

    Raises:
        UnavailableError: code `coding_unknown`, `body_damaged` or `body_too_large`.

    Source: RFC 9110 section 8.4.

    >>> decode_body(zlib.compress(b"abc"), "deflate", 3)
    b'abc'
    """
    name = coding.strip().lower()
    if name in {"", "identity"} or not sent:
        return sent
    if name not in _ZLIB_CODINGS:
        raise UnavailableError(f"expected the content coding gzip, deflate or none, got {coding!r}", code="coding_unknown")
    decoder = zlib.decompressobj(_ZLIB_ANY_HEADER)
    try:
        body = decoder.decompress(sent, max_bytes + 1)
    except zlib.error as error:
        raise UnavailableError(f"expected a body coded as {name}, got {error}", code="body_damaged") from error
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    if not decoder.eof or decoder.unused_data:
        raise UnavailableError(f"expected one whole {name} stream, got less or more", code="body_damaged")
    return body


def _decoded(exchange: Exchange, coding: str, max_bytes: int) -> Exchange:
    return replace(exchange, body=decode_body(exchange.sent_body, coding, max_bytes))


def _build_origin(target: Target) -> httpcore.Origin:
    return httpcore.Origin(target.scheme.encode(), target.host.encode(), target.port)


def _build_request(request: Request, limits: ExchangeLimits) -> httpcore.Request:
    target = request.target
    url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    waits = {"connect": limits.connect_seconds, "read": limits.idle_seconds, "write": limits.idle_seconds}
    return httpcore.Request(
        request.method,
        url,
        headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in request.headers],
        content=request.content,
        extensions={"timeout": waits},
    )


def _read_headers(response: httpcore.Response, max_bytes: int) -> Headers:
    # RFC 9112 section 5: a field is its name, a colon, a space, its value and the end of the line.
    size = sum(len(name) + len(value) + 4 for name, value in response.headers)
    if size > max_bytes:
        raise UnavailableError(f"expected at most {max_bytes:,} bytes of header, got {size:,}", code="headers_too_large")
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers)


def _read_body(response: httpcore.Response, headers: Headers, max_bytes: int) -> bytes:
    stated = next((value for name, value in headers if name.lower() == "content-length"), "")
    if stated.isdecimal() and int(stated) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> UnavailableError:
    return UnavailableError(f"expected a body of at most {max_bytes:,} bytes, got more", code="body_too_large")


class _PinnedBackend(httpcore.NetworkBackend):
    """Connects to the checked addresses, whatever host it is asked for."""

    def __init__(self, addresses: Sequence[str], deadline: Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._network = httpcore.SyncBackend()
        self.connected = ""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError(f"no address for {host}")
        for address in self._addresses:
            try:
                stream = self._network.connect_tcp(address, port, self._deadline.clamp(timeout), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                self.connected = address
                return _TimedStream(stream, self._deadline)
        raise failure


class _TimedStream(httpcore.NetworkStream):
    """A connection of which no single wait outlasts the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.clamp(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.clamp(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            cut = self._deadline.clamp(timeout)
        except UnavailableError:
            self.close()
            raise
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, cut), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
