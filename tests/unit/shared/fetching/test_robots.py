"""robots.txt: fetched once a host, obeyed by product name, forbidding where it cannot be had."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import InputError, SleeveError, UnavailableError
from shared.fetching.robots import RobotsCache
from tests.support.web_server import Page, WebServer, make_fetcher, web_server

RULES = b"""User-agent: *
Disallow: /

User-agent: SleeveBot
Disallow: /private
Allow: /private/open
Disallow: /*.gif$
"""


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


def _refusal(robots: RobotsCache, url: str) -> str | None:
    """The code by which a URL is refused; None where it is allowed."""
    try:
        robots.verify_allowed(url)
    except SleeveError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/a.png", True), ("/private/a.png", False), ("/private/open/a.png", True), ("/a.gif", False), ("/a.gif?b", True)],
)
def test_the_rules_for_the_product_are_obeyed(site: WebServer, path: str, allowed: bool) -> None:
    site.pages["/robots.txt"] = Page(b"\xef\xbb\xbf" + RULES)
    robots = RobotsCache(make_fetcher(site))
    assert _refusal(robots, site.url(path)) == (None if allowed else "robots_disallowed")
    assert site.paths() == ["/robots.txt"]


def test_a_host_is_asked_once_also_by_many_threads(site: WebServer) -> None:
    site.pages["/robots.txt"] = Page(RULES)
    robots = RobotsCache(make_fetcher(site))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: robots.verify_allowed(site.url(f"/{number}.png")), range(40)))
    assert site.paths() == ["/robots.txt"]
    robots.verify_allowed(site.url("/a.png", "other.test"))
    assert len(site.seen) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_no_file_allows_everything(site: WebServer, status: int) -> None:
    # What it would forbid, were it taken for the file.
    site.pages["/robots.txt"] = Page(RULES.replace(b"/private", b"/"), status)
    robots = RobotsCache(make_fetcher(site))
    assert _refusal(robots, site.url("/a.gif")) is None
    assert _refusal(robots, site.url("/b.gif")) is None
    assert site.paths() == ["/robots.txt"]


@pytest.mark.parametrize("page", [Page(status=503), Page(status=429), Page(b"x" * 2000), Page(status=204)])
def test_a_file_that_cannot_be_had_forbids_everything_and_is_not_asked_for_again(site: WebServer, page: Page) -> None:
    site.pages["/robots.txt"] = page
    robots = RobotsCache(make_fetcher(site, max_bytes=1000, attempts=1))
    for _ in range(2):
        with pytest.raises(UnavailableError) as caught:
            robots.verify_allowed(site.url("/a.png"))
        assert caught.value.code == "robots_unreachable"
    assert len(site.seen) == 1


def test_a_host_that_may_not_be_reached_is_refused_and_not_called_unreachable(site: WebServer) -> None:
    robots = RobotsCache(make_fetcher(site))
    for _ in range(2):
        with pytest.raises(InputError, match=r"robots\.txt: .*expected a public address, got 127\.0\.0\.1") as caught:
            robots.verify_allowed(site.url("/a.png", "127.0.0.1"))
        assert caught.value.code == "url_refused"
    assert site.seen == []


def test_a_url_that_may_not_be_fetched_is_refused_before_anything(site: WebServer) -> None:
    with pytest.raises(SleeveError) as caught:
        RobotsCache(make_fetcher(site)).verify_allowed("ftp://public.test/a.png")
    assert caught.value.code == "url_refused"
    assert site.seen == []
