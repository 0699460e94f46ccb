"""The connection to a Qdrant server: one deadline a call, errors of our own, and no waiting for a server that is down.

Rules, in order:

1. The time-out is a deadline over a whole call: connecting, sending and reading, however slowly the bytes come. What comes
   is bounded as well.
2. No proxy is used, whatever the environment names: an API key goes to the server and to nobody else. Certificates are those
   that `SSL_CERT_FILE` names, where it is set.
3. An API key never travels in clear text: with a key, the URL is https, or of this machine.
4. `https://host` means port 443. `http://host` means Qdrant's own port, 6333.
5. After a failure every call fails at once, until a look at the server, once a second in a thread of its own, is answered.
6. Whatever is no valid answer is an `UnavailableError`: `index_down`; `index_refused` for a key that does not count;
   `index_rejected` for a request that the server does not take; `index_lost` for a collection that is gone.
"""

import os
import ssl
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx
import structlog
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse

from shared.errors import InputError, SleeveError, UnavailableError
from shared.settings import is_loopback

QDRANT_PORT, HTTPS_PORT = 6333, 443
# How often a server that is down is looked at.
PROBE_SECONDS = 1.0
# More than any answer that is asked for: 64 searches for 2,000 neighbours take some 13 MB.
MAX_ANSWER_BYTES = 128 * 2**20
# Bytes a write: between two of them the deadline is looked at.
WRITE_BYTES = 1 << 16
_HTTP_CLIENT_ERRORS = range(400, 500)
# Of those, what another moment may cure: request timeout, too many requests.
_PASSING = {408, 429}

log = structlog.get_logger()


class _Call(threading.local):
    """The call that a thread is in: its deadline, by `monotonic`, None outside of calls; and the bytes that came so far."""

    until: float | None = None
    received_bytes: int = 0


_call = _Call()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bound what is sent and read in the block; inside another deadline, that one holds."""
    if _call.until is not None:
        yield
        return
    _call.until, _call.received_bytes = monotonic() + seconds, 0
    try:
        yield
    finally:
        _call.until = None


class QdrantConnection:
    """Calls to one server.

    Args:
        client: speaks to it; closed with the connection.
        timeout_seconds: how long one call may take.
        probe: asks something small of the server; raises where it is not answered.
    """

    def __init__(self, client: QdrantClient, timeout_seconds: float, probe: Callable[[QdrantClient], object]) -> None:
        self._client, self._timeout_seconds, self._probe = client, timeout_seconds, probe
        self._guard = threading.Lock()
        self._failure: UnavailableError | None = None
        self._closed = threading.Event()

    @contextmanager
    def calling(self) -> Iterator[QdrantClient]:
        """Hand out the client for one call, or a few that share a deadline.

        Raises:
            UnavailableError: the server is known to be down, or gives no valid answer.
        """
        failure = self._failure
        if failure is not None:
            raise UnavailableError(failure.message, code=failure.code)
        try:
            with deadline(self._timeout_seconds):
                yield self._client
        except Exception as error:
            raise self._explain(error) from error

    def close(self) -> None:
        """Close the connection, and stop looking at the server."""
        self._closed.set()
        self._client.close()

    def _explain(self, error: Exception) -> SleeveError:
        if isinstance(error, SleeveError):
            return error
        explained = _explain_answer(error) if isinstance(error, UnexpectedResponse) else None
        if explained is None:
            # A refused connection, silence, a server error, HTML, JSON of another shape: nothing that can be relied on.
            detail = " ".join(str(error).split())[:300] or type(error).__name__
            explained = UnavailableError(f"the Qdrant server does not answer as it should: {detail}", code="index_down")
            self._stop_asking(explained)
        return explained

    def _stop_asking(self, failure: UnavailableError) -> None:
        with self._guard:
            if self._failure is not None or self._closed.is_set():
                return
            self._failure = failure
        log.warning("index_server_down", code=failure.code)
        threading.Thread(target=self._look, name="look at index server", daemon=True).start()

    def _look(self) -> None:
        while not self._closed.wait(PROBE_SECONDS):
            try:
                with deadline(self._timeout_seconds):
                    self._probe(self._client)
            except Exception as error:  # whatever it is, calls explain it; here it only counts whether it is an answer
                if not (isinstance(error, UnexpectedResponse) and _explain_answer(error)):
                    continue
            self._failure = None
            log.info("index_server_back")
            return


def open_client(url: str, api_key: str | None, timeout_seconds: int) -> QdrantClient:
    """Open a connection to a Qdrant server; nothing is sent before the first call.

    Args:
        url: `https://host` (port 443), `https://host:6333`, or http within this machine or without a key.
        api_key: the server's key, if it asks for one.
        timeout_seconds: how long one call may take.

    Raises:
        InputError: the URL is none, a key would travel in clear text, or the certificates cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InputError(
            f"SLEEVE_QDRANT_URL: expected the http(s) URL of a Qdrant server, got scheme {parts.scheme!r}", code="index_url"
        )
    if api_key and parts.scheme == "http" and not is_loopback(parts.hostname):
        raise InputError(
            f"SLEEVE_QDRANT_API_KEY needs https in SLEEVE_QDRANT_URL, got http to {parts.hostname}", code="index_url"
        )
    limits = httpx.Limits(max_keepalive_connections=0 if is_loopback(parts.hostname) else 20)
    with warnings.catch_warnings():
        # The client warns of every key over http; it is ruled on above.
        warnings.filterwarnings("ignore", "Api key is used with an insecure connection", UserWarning)
        return QdrantClient(
            url=url,
            port=HTTPS_PORT if parts.scheme == "https" else QDRANT_PORT,
            api_key=api_key,
            timeout=timeout_seconds,
            check_compatibility=False,  # the server's version is on record with each search
            limits=limits,
            trust_env=False,
            transport=_DeadlineTransport(limits),
        )


def _explain_answer(error: UnexpectedResponse) -> UnavailableError | None:
    """Explain an answer that refuses a request; None where the server itself failed."""
    status = error.status_code or 0
    detail = " ".join(error.content.decode(errors="replace").split())[:300]
    if status in {401, 403}:
        return UnavailableError(
            f"the Qdrant server refuses the key (HTTP {status}); see SLEEVE_QDRANT_API_KEY", code="index_refused"
        )
    if status == 404:
        return UnavailableError(f"the Qdrant server lacks the collection: {detail}", code="index_lost")
    if status in _HTTP_CLIENT_ERRORS and status not in _PASSING:
        return UnavailableError(f"the Qdrant server rejects the request (HTTP {status}): {detail}", code="index_rejected")
    return None


class _DeadlineTransport(httpx.HTTPTransport):
    """HTTP over connections that keep the deadline of the call; without proxies."""

    def __init__(self, limits: httpx.Limits) -> None:
        try:
            certificates = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or None)
        except OSError as error:
            raise InputError(f"SSL_CERT_FILE: expected certificates, got {error}", code="index_url") from error
        super().__init__(verify=certificates, trust_env=False, limits=limits)
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_DeadlineBackend(),
        )


class _DeadlineBackend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _seconds_left(timeout, httpcore.ConnectTimeout)
        return _DeadlineStream(super().connect_tcp(host, port, left, local_address, socket_options))


class _DeadlineStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, _seconds_left(timeout, httpcore.ReadTimeout))
        _call.received_bytes += len(data)
        if _call.until is not None and _call.received_bytes > MAX_ANSWER_BYTES:
            raise httpcore.ReadError(f"expected an answer of at most {MAX_ANSWER_BYTES:,} bytes, got more")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        data = memoryview(buffer)
        for start in range(0, len(data), WRITE_BYTES):
            self._stream.write(bytes(data[start : start + WRITE_BYTES]), _seconds_left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _seconds_left(timeout, httpcore.ConnectTimeout)
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _seconds_left(timeout: float | None, error: type[Exception]) -> float | None:
    if _call.until is None:
        return timeout
    left = _call.until - monotonic()
    if left <= 0:
        raise error("the call's time is over")
    return left if timeout is None else min(left, timeout)
