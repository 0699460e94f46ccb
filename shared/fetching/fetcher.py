"""Fetching a URL that a stranger chose.

Rules, in order:

1. A host is resolved once a hop; every address that the resolver names must be allowed, and the connection goes to exactly
   these. A name that answers differently the next time is never asked a next time.
2. A redirect is a new URL: parsed, resolved and checked like the first one, at most `max_redirects` of them.
3. What may not be fetched is an InputError with code `url_refused`; every other failure is an UnavailableError.
4. Busy servers (429, 500, 502, 503, 504) and broken connections are tried again after growing waits; Retry-After is obeyed, or
   where it asks for more than the cap, the fetch is given up. The waits count towards `total_seconds` like everything else.
5. Headers that the caller adds, credentials among them, go to the URL's own origin and to no other.
6. Proxies and credentials of the environment are not used.

Source: RFC 9110 sections 10.2.3 (Retry-After) and 15.4 (redirection).
"""

import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx

from shared.errors import InputError, NotFoundError, UnavailableError
from shared.fetching.addresses import AddressPolicy, Target, parse_target, refuse_url, verify_address
from shared.fetching.connection import Deadline, Exchange, ExchangeLimits, Headers, Request, send_request
from shared.fetching.limits import FetchLimits, choose_wait, parse_retry_after
from shared.settings import Settings

# Says who asks; the part before the slash is the name that robots.txt files address (RFC 9309 section 2.2.1). An operator
# sets one that also says how to reach them.
DEFAULT_USER_AGENT = "SleeveBot/0.1 (registers training images; obeys robots.txt for SleeveBot)"

Resolver = Callable[[str, int], Sequence[str]]

_OK = 200
# RFC 9110 sections 15.4.2 to 15.4.9, those that name another place of the same thing.
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# RFC 9110 sections 15.5.5 and 15.5.11.
_GONE = frozenset({404, 410})
# RFC 6585 section 4 and RFC 9110 section 15.6: the server's trouble, which may pass. 501 and 505 do not.
_BUSY = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Fetched:
    """What a fetch brought: the exchange of every hop, the last of which is the answer."""

    exchanges: tuple[Exchange, ...]

    @property
    def answer(self) -> Exchange:
        """The last exchange."""
        return self.exchanges[-1]

    @property
    def url(self) -> str:
        """Where the answer came from, after redirects."""
        return self.answer.request.target.url

    @property
    def status(self) -> int:
        """The answer's status code."""
        return self.answer.status

    @property
    def headers(self) -> Headers:
        """The answer's headers as they came: repeated ones are repeated."""
        return self.answer.headers

    @property
    def body(self) -> bytes:
        """The answer's body, without transfer or content coding."""
        return self.answer.body

    def verify_ok(self) -> None:
        """Check that the answer is the thing asked for.

        Raises:
            NotFoundError: status 404 or 410.
            UnavailableError: any other status but 200.
        """
        if self.status in _GONE:
            raise NotFoundError(f"{self.url}: expected status 200, got {self.status}", code="url_gone")
        if self.status != _OK:
            raise UnavailableError(f"{self.url}: expected status 200, got {self.status}", code="url_unavailable")


def resolve_host(host: str, port: int) -> list[str]:
    """Ask the system's resolver for the addresses of a host; how long that may take is the system's setting.

    Raises:
        UnavailableError: code `host_unknown`; there is no address, or no resolver.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnavailableError(f"expected an address of {host}, got {error}", code="host_unknown") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in addresses))


class Fetcher:
    """Fetches URLs; may be used by many threads at once.

    Args:
        limits: caps on each fetch.
        policy: which addresses and ports may be reached; by default public ones, on the ports of the web.
        user_agent: sent with every request; begins with the product name that robots.txt files address.
        resolver: gives the addresses of a host.
        tls: how certificates are verified; by default against the public authorities that httpx brings.
    """

    def __init__(
        self,
        limits: FetchLimits | None = None,
        policy: AddressPolicy | None = None,
        user_agent: str = DEFAULT_USER_AGENT,
        resolver: Resolver = resolve_host,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.limits = limits or FetchLimits()
        self.policy = policy or AddressPolicy()
        self.user_agent = user_agent
        self._resolver = resolver
        self._tls = tls or httpx.create_ssl_context(trust_env=False)

    def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        check: Callable[[str], None] = lambda _url: None,
    ) -> Fetched:
        """Fetch a URL, following redirects.

        Args:
            url: absolute, http or https.
            headers: added to the requests to the URL's own origin.
            form: posted as a web form; without it the URL is read. The answer to a form may not be a redirect.
            check: called with each hop's URL before anything of it is resolved; what it raises ends the fetch.

        Returns:
            The answer with whatever status the server gave, a busy one excepted.

        Raises:
            InputError: code `url_refused`; the URL, a redirect's, or an address of either may not be fetched.
            UnavailableError: the host is unknown, gone, silent, too slow or busy, or its answer is not acceptable.
        """
        deadline = Deadline(self.limits.total_seconds)
        target = first = parse_target(url, self.policy)
        exchanges: list[Exchange] = []
        while True:
            check(target.url)
            added = dict(headers or {}) if target.origin == first.origin else {}
            exchanges.append(self._send(self._build_request(target, added, form), deadline))
            location = _find_redirect(exchanges[-1])
            if location is None:
                return Fetched(tuple(exchanges))
            if form is not None or len(exchanges) > self.limits.max_redirects:
                allowed = 0 if form is not None else self.limits.max_redirects
                raise UnavailableError(f"{url}: expected at most {allowed} redirects, got more", code="too_many_redirects")
            target = self._follow(target, location)

    def post(self, url: str, content: bytes, content_type: str, *, headers: Mapping[str, str] | None = None) -> Exchange:
        """Post content once: nothing is sent again, no redirect is followed, and any status is an answer.

        Args:
            url: absolute, http or https.
            content: the body.
            content_type: its media type.
            headers: added to the request.

        Raises:
            InputError: code `url_refused`; the URL or an address of its host may not be reached.
            UnavailableError: the host is unknown, gone, silent or too slow, or its answer is not acceptable.
        """
        deadline = Deadline(self.limits.total_seconds)
        target = parse_target(url, self.policy)
        request = self._build_post(target, dict(headers or {}), content_type, content)
        return send_request(request, self._resolve(target), self._exchange_limits(), deadline, self._tls)

    def verify_allowed(self, url: str) -> None:
        """Check that a URL may be reached as its host resolves now; nothing is sent.

        Raises:
            InputError: code `url_refused`.
            UnavailableError: code `host_unknown`.
        """
        self._resolve(parse_target(url, self.policy))

    def _build_request(self, target: Target, added: Mapping[str, str], form: Mapping[str, str] | None) -> Request:
        if form is not None:
            return self._build_post(target, added, "application/x-www-form-urlencoded", urlencode(form).encode())
        return Request(target, "GET", tuple({**self._own_headers(target), **added}.items()))

    def _build_post(self, target: Target, added: Mapping[str, str], content_type: str, content: bytes) -> Request:
        headers = self._own_headers(target) | {"Content-Type": content_type, "Content-Length": str(len(content))}
        return Request(target, "POST", tuple({**headers, **added}.items()), content)

    def _own_headers(self, target: Target) -> dict[str, str]:
        return {
            "Host": target.authority,
            "User-Agent": self.user_agent,
            "Accept": "*/*",
            # Bytes as the owner published them: their digest is what a record is about.
            "Accept-Encoding": "identity",
            "Connection": "close",
        }

    def _follow(self, target: Target, location: str) -> Target:
        try:
            joined = str(httpx.URL(target.url).join(location))
        except (httpx.InvalidURL, ValueError) as error:
            raise refuse_url(f"expected a redirect to a URL, got {location!r}: {error}") from error
        return parse_target(joined, self.policy)

    def _send(self, request: Request, deadline: Deadline) -> Exchange:
        addresses = self._resolve(request.target)
        for attempt in range(1, self.limits.attempts + 1):
            asked_seconds = None
            try:
                exchange = send_request(request, addresses, self._exchange_limits(), deadline, self._tls)
            except UnavailableError as error:
                if error.code != "connection_failed":
                    raise
                failure = error
            else:
                if exchange.status not in _BUSY:
                    return exchange
                failure = _busy(exchange)
                asked_seconds = parse_retry_after(exchange.header("retry-after"))
            wait_seconds = choose_wait(attempt, asked_seconds, self.limits)
            if wait_seconds is None or wait_seconds >= deadline.remaining_seconds():
                raise failure
            time.sleep(wait_seconds)
        raise failure

    def _resolve(self, target: Target) -> Sequence[str]:
        addresses = self._resolver(target.host, target.port)
        if not addresses:
            raise UnavailableError(f"expected an address of {target.host}, got none", code="host_unknown")
        for address in addresses:
            try:
                verify_address(address, self.policy)
            except InputError as error:
                raise refuse_url(f"{target.url}: {error.message}") from error
        return addresses

    def _exchange_limits(self) -> ExchangeLimits:
        limits = self.limits
        return ExchangeLimits(limits.max_bytes, limits.max_header_bytes, limits.connect_seconds, limits.idle_seconds)


def build_fetcher(settings: Settings) -> Fetcher:
    """Make the fetcher that the settings ask for; no answer may be larger than the largest image."""
    policy = AddressPolicy(settings.fetch_allowed_networks, frozenset(settings.fetch_allowed_ports))
    return Fetcher(FetchLimits(settings.max_image_bytes), policy, settings.fetch_user_agent or DEFAULT_USER_AGENT)


def _find_redirect(exchange: Exchange) -> str | None:
    location = next((value for name, value in exchange.headers if name.lower() == "location"), None)
    if exchange.status not in _REDIRECTS or not location:
        return None
    try:
        # Servers send UTF-8 here, which header fields are not meant to carry.
        return location.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return location


def _busy(exchange: Exchange) -> UnavailableError:
    url = exchange.request.target.url
    return UnavailableError(f"{url}: expected an answer, got status {exchange.status}", code="server_busy")
