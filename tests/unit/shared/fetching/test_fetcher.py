"""Fetching over real connections: pinned addresses, redirects, caps, deadlines, retries."""

import gzip
import ipaddress
import itertools
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from shared.errors import InputError, NotFoundError, UnavailableError
from shared.fetching.addresses import AddressPolicy
from shared.fetching.fetcher import DEFAULT_USER_AGENT, Fetcher
from tests.support.certificates import make_certificate, serving_tls
from tests.support.web_server import LOOPBACK, PUBLIC, Page, WebServer, make_fetcher, web_server


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


def redirect(location: str, status: int = 302) -> Page:
    return Page(b"elsewhere", status, (("Location", location),))


def test_a_page_is_fetched_from_the_checked_address_under_its_name(site: WebServer) -> None:
    site.pages["/a?b=c"] = Page(b"bytes", headers=(("X-Robots-Tag", "noai"), ("X-Robots-Tag", "noimageai")))
    fetched = make_fetcher(site).fetch(site.url("/a?b=c#d"), headers={"Accept": "image/*"})
    assert (fetched.status, fetched.body, fetched.url) == (200, b"bytes", site.url("/a?b=c"))
    assert fetched.answer.address == PUBLIC
    assert fetched.answer.header("x-robots-tag") == "noai, noimageai"
    [seen] = site.seen
    assert seen.headers["Host"] == f"public.test:{site.port}"
    assert seen.headers["User-Agent"] == DEFAULT_USER_AGENT
    assert seen.headers["Accept"] == "image/*"
    assert seen.headers["Accept-Encoding"] == "identity"


def test_a_rebinding_name_is_resolved_once_and_leads_nowhere_else(site: WebServer) -> None:
    answers = itertools.chain([[PUBLIC]], itertools.repeat([LOOPBACK]))
    resolved_hosts: list[str] = []

    def rebind(host: str, _port: int) -> list[str]:
        resolved_hosts.append(host)
        return next(answers)

    site.pages["/"] = Page(b"public")
    plain = make_fetcher(site)
    fetcher = Fetcher(plain.limits, plain.policy, resolver=rebind)
    with web_server(LOOPBACK, site.port) as secret:
        secret.pages["/"] = Page(b"secret")
        assert fetcher.fetch(site.url("/")).body == b"public"
        assert resolved_hosts == ["public.test"]
        with pytest.raises(InputError) as caught:
            fetcher.fetch(site.url("/"))
    assert caught.value.code == "url_refused"
    assert secret.seen == []


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/secret",
        "//localhost:{port}/secret",
        "http://inside.test:{port}/secret",
        "http://169.254.169.254:{port}/latest",
        "http://[::ffff:127.0.0.1]:{port}/secret",
        "http://2130706433:{port}/secret",
        "http://public.test:22/",
        "file:///etc/passwd",
        "http://user:pw@public.test:{port}/",
        "http://[bad/",
    ],
)
def test_a_redirect_is_checked_like_the_first_url(site: WebServer, location: str) -> None:
    site.pages["/"] = redirect(location.format(port=site.port))
    hosts = {"localhost": [LOOPBACK], "inside.test": ["10.0.0.7"]}
    with web_server(LOOPBACK, site.port) as secret, pytest.raises(InputError) as caught:
        make_fetcher(site, hosts).fetch(site.url("/"))
    assert caught.value.code == "url_refused"
    assert secret.seen == []


def test_redirects_are_followed_and_counted(site: WebServer) -> None:
    for number in range(6):
        site.pages[f"/{number}"] = redirect(f"/{number + 1}", (301, 302, 303, 307, 308, 301)[number])
    site.pages["/6"] = Page(b"end")
    fetched = make_fetcher(site).fetch(site.url("/1"))
    assert fetched.body == b"end"
    assert [exchange.status for exchange in fetched.exchanges] == [302, 303, 307, 308, 301, 200]
    with pytest.raises(UnavailableError) as caught:
        make_fetcher(site).fetch(site.url("/0"))
    assert caught.value.code == "too_many_redirects"


def test_added_headers_stay_with_their_origin(site: WebServer) -> None:
    site.pages["/a"] = redirect("/b")
    site.pages["/b"] = redirect(site.url("/c", "other.test"))
    site.pages["/c"] = Page(b"c")
    make_fetcher(site).fetch(site.url("/a"), headers={"Authorization": "LOW key:secret"})
    assert ["Authorization" in request.headers for request in site.seen] == [True, True, False]


def test_the_callers_check_sees_every_hop_and_can_end_it(site: WebServer) -> None:
    site.pages["/a"] = redirect("/private/b")

    def check(url: str) -> None:
        if "/private" in url:
            raise InputError("disallowed", code="robots_disallowed")

    with pytest.raises(InputError) as caught:
        make_fetcher(site).fetch(site.url("/a"), check=check)
    assert caught.value.code == "robots_disallowed"
    assert site.paths() == ["/a"]


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(10_000):
        handler.wfile.write(b"x" * 1000)


def bomb(_handler: BaseHTTPRequestHandler) -> Page:
    return Page(gzip.compress(bytes(2_000_000)), headers=(("Content-Encoding", "gzip"),))


@pytest.mark.parametrize("page", [Page(b"x" * 1001), endless, bomb])
def test_a_body_over_the_cap_is_cut_off(site: WebServer, page: Callable[[BaseHTTPRequestHandler], Page] | Page) -> None:
    site.pages["/"] = page
    with pytest.raises(UnavailableError) as caught:
        make_fetcher(site, max_bytes=1000 if page is not bomb else 100_000).fetch(site.url("/"))
    assert caught.value.code == "body_too_large"


def test_a_body_of_just_the_cap_is_taken(site: WebServer) -> None:
    site.pages["/"] = Page(b"x" * 1000)
    assert len(make_fetcher(site, max_bytes=1000).fetch(site.url("/")).body) == 1000


@pytest.mark.parametrize("count", [60, 4000])
def test_headers_over_the_cap_are_refused(site: WebServer, count: int) -> None:
    site.pages["/"] = Page(headers=tuple((f"X-{number}", "y" * 1000) for number in range(count)))
    with pytest.raises(UnavailableError) as caught:
        make_fetcher(site, attempts=1).fetch(site.url("/"))
    # The HTTP parser has a cap of its own, 100 KiB, below which ours is drawn.
    assert caught.value.code == ("headers_too_large" if count == 60 else "connection_failed")


def drip(where: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def write(handler: BaseHTTPRequestHandler) -> None:
        if where == "body":
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    return write


@pytest.mark.parametrize("where", ["head", "body"])
def test_a_peer_that_drips_is_timed_out(site: WebServer, where: str) -> None:
    site.pages["/"] = drip(where)
    began = time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        make_fetcher(site, total_seconds=0.4, idle_seconds=0.3).fetch(site.url("/"))
    assert caught.value.code == "fetch_timeout"
    assert time.monotonic() - began < 2


def test_a_silent_peer_is_tried_again_and_given_up(site: WebServer) -> None:
    site.pages["/"] = lambda _handler: time.sleep(0.5)
    with pytest.raises(UnavailableError) as caught:
        make_fetcher(site, idle_seconds=0.1, attempts=2).fetch(site.url("/"))
    assert caught.value.code == "connection_failed"
    assert len(site.seen) == 2


def test_a_body_that_ends_early_is_no_answer(site: WebServer) -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"half")

    site.pages["/"] = half
    with pytest.raises(UnavailableError) as caught:
        make_fetcher(site).fetch(site.url("/"))
    assert caught.value.code == "connection_failed"
    assert len(site.seen) == 3


def busy_first(times: int, status: int, retry_after: str | None = None) -> Callable[[BaseHTTPRequestHandler], Page]:
    count = itertools.count(1)
    headers = (("Retry-After", retry_after),) if retry_after is not None else ()
    return lambda _handler: Page(b"busy", status, headers) if next(count) <= times else Page(b"at last")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(site: WebServer, status: int) -> None:
    site.pages["/"] = busy_first(2, status)
    assert make_fetcher(site).fetch(site.url("/")).body == b"at last"
    site.pages["/"] = busy_first(3, status)
    with pytest.raises(UnavailableError) as caught:
        make_fetcher(site).fetch(site.url("/"))
    assert caught.value.code == "server_busy"


def test_retry_after_is_obeyed_up_to_the_cap(site: WebServer) -> None:
    site.pages["/"] = busy_first(1, 429, "1")
    began = time.monotonic()
    assert make_fetcher(site, backoff_seconds=0.0).fetch(site.url("/")).body == b"at last"
    assert time.monotonic() - began >= 1
    for retry_after in ("3600", format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)):
        site.pages["/"] = busy_first(1, 429, retry_after)
        site.seen.clear()
        with pytest.raises(UnavailableError):
            make_fetcher(site).fetch(site.url("/"))
        assert len(site.seen) == 1


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_a_coded_body_is_decoded_and_kept_as_sent(site: WebServer, coding: str) -> None:
    sent = gzip.compress(b"bytes", mtime=0)
    site.pages["/"] = Page(sent, headers=(("Content-Encoding", coding),))
    answer = make_fetcher(site).fetch(site.url("/")).answer
    assert (answer.body, answer.sent_body) == (b"bytes", sent)


@pytest.mark.parametrize(
    ("coding", "body", "code"),
    [
        ("br", b"x", "coding_unknown"),
        ("gzip, gzip", b"x", "coding_unknown"),
        ("gzip", b"no gzip", "body_damaged"),
        ("gzip", gzip.compress(b"bytes", mtime=0)[:-5], "body_damaged"),
        ("gzip", gzip.compress(b"bytes", mtime=0) + b"more", "body_damaged"),
    ],
)
def test_a_coding_that_cannot_be_undone_is_said_so(site: WebServer, coding: str, body: bytes, code: str) -> None:
    site.pages["/"] = Page(body, headers=(("Content-Encoding", coding),))
    with pytest.raises(UnavailableError) as caught:
        make_fetcher(site).fetch(site.url("/"))
    assert caught.value.code == code


def test_statuses_are_told_apart(site: WebServer) -> None:
    site.pages |= {"/gone": Page(status=410), "/forbidden": Page(status=403), "/here": Page()}
    fetcher = make_fetcher(site)
    fetcher.fetch(site.url("/here")).verify_ok()
    for path in ("/gone", "/nowhere"):
        with pytest.raises(NotFoundError):
            fetcher.fetch(site.url(path)).verify_ok()
    with pytest.raises(UnavailableError, match="got 403"):
        fetcher.fetch(site.url("/forbidden")).verify_ok()


def test_a_form_is_posted_and_not_redirected(site: WebServer) -> None:
    site.pages |= {"/save": Page(b"ok"), "/moved": redirect("/save")}
    fetcher = make_fetcher(site)
    assert fetcher.fetch(site.url("/save"), form={"url": "http://a/?b&c"}).body == b"ok"
    assert (site.seen[0].method, site.seen[0].body) == ("POST", b"url=http%3A%2F%2Fa%2F%3Fb%26c")
    with pytest.raises(UnavailableError) as caught:
        fetcher.fetch(site.url("/moved"), form={"url": "x"})
    assert caught.value.code == "too_many_redirects"


def test_an_unknown_host_and_a_closed_port_are_unavailable(site: WebServer) -> None:
    with pytest.raises(UnavailableError) as caught:
        Fetcher().fetch("http://no-such-host.invalid/")
    assert caught.value.code == "host_unknown"
    with web_server() as closed:
        pass
    with pytest.raises(UnavailableError) as caught:
        make_fetcher(closed).fetch(closed.url("/"))
    assert caught.value.code == "connection_failed"


def test_the_next_address_is_tried_where_nothing_listens(site: WebServer) -> None:
    site.pages["/"] = Page(b"second")
    policy = AddressPolicy((ipaddress.ip_network("127.0.0.2/31"),), frozenset({site.port}))
    fetched = Fetcher(policy=policy, resolver=lambda _host, _port: ["127.0.0.3", PUBLIC]).fetch(site.url("/"))
    assert (fetched.body, fetched.answer.address) == (b"second", PUBLIC)


def test_tls_names_and_verifies_the_host_and_not_the_address(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "public.test")
    serving = serving_tls(certificate, key)
    names: list[str | None] = []
    serving.sni_callback = lambda _socket, name, _context: names.append(name)
    with web_server(tls=serving) as site:
        site.pages["/"] = Page(b"over TLS")
        policy = make_fetcher(site).policy
        trusting = ssl.create_default_context(cafile=str(certificate))
        fetcher = Fetcher(policy=policy, resolver=lambda _host, _port: [PUBLIC], tls=trusting)
        assert fetcher.fetch(f"https://public.test:{site.port}/").body == b"over TLS"
        assert names == ["public.test"]
        distrusting = Fetcher(policy=policy, resolver=lambda _host, _port: [PUBLIC])
        for name, fetching in (("other.test", fetcher), ("public.test", distrusting)):
            with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
                fetching.fetch(f"https://{name}:{site.port}/")
