"""What a check of an archival link finds, and that it says nothing where nothing was learnt."""

from collections.abc import Iterator
from itertools import product

import pytest

from services.ingest.archive.robust_link import ArchivalState, RobustLink
from services.ingest.archive.verification import check_archival_link, check_place, combine_states
from shared.canonical import sha256_hex
from tests.support.factories import png
from tests.support.web_server import Page, WebServer, make_fetcher, web_server
from tests.unit.services.ingest.archive.fake_wayback import FakeWayback

IMAGE = png(1)
DIGEST = sha256_hex(IMAGE)
VERIFIED, DRIFTED, MISSING, UNCHECKED = ArchivalState


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as running:
        FakeWayback(running).captures.append(("20260131120000", running.url("/gone.png"), IMAGE))
        running.pages |= {
            "/same.png": Page(IMAGE),
            "/moved.png": Page(b"", 302, (("Location", "/same.png"),)),
            "/other.png": Page(png(2)),
            "/gone.png": Page(b"gone", 410),
            "/closed.png": Page(b"no", 403),
            "/busy.png": Page(b"later", 503),
            "/large.png": Page(bytes(2**20 + 1)),
            "/inside.png": Page(b"", 302, (("Location", "http://127.0.0.1/"),)),
        }
        yield running


@pytest.mark.parametrize(
    ("path", "state", "reason"),
    [
        ("/same.png", VERIFIED, None),
        ("/moved.png", VERIFIED, None),
        ("/other.png", DRIFTED, None),
        ("/gone.png", MISSING, None),
        ("/never.png", MISSING, None),
        ("/closed.png", UNCHECKED, "url_unavailable"),
        ("/busy.png", UNCHECKED, "server_busy"),
        ("/large.png", UNCHECKED, "body_too_large"),
        ("/inside.png", UNCHECKED, "url_refused"),
    ],
)
def test_a_place_is_told_by_its_bytes(site: WebServer, path: str, state: ArchivalState, reason: str | None) -> None:
    found = check_place(make_fetcher(site, max_bytes=2**20, attempts=1), site.url(path), DIGEST)
    assert found.state is state
    assert (found.reason or "").partition(":")[0] == (reason or "")
    assert found.sha256 == {VERIFIED: DIGEST, DRIFTED: sha256_hex(png(2))}.get(state)


def test_a_snapshot_keeps_a_link_verified_when_the_original_is_gone(site: WebServer) -> None:
    original = site.url("/gone.png")
    link = RobustLink(original, site.url(f"/web/20260131120000/{original}"))
    found = check_archival_link(make_fetcher(site), link, DIGEST.upper())
    assert (found.original.state, found.snapshot and found.snapshot.state, found.state) == (MISSING, VERIFIED, VERIFIED)
    assert found.snapshot is not None
    assert found.snapshot.url.endswith(f"/web/20260131120000id_/{original}")
    assert found.reason is None
    assert check_archival_link(make_fetcher(site), RobustLink(original), DIGEST).state is MISSING


def test_an_unchecked_link_says_why(site: WebServer) -> None:
    link = RobustLink(site.url("/other.png"), site.url("/closed.png"))
    found = check_archival_link(make_fetcher(site), link, DIGEST)
    assert found.state is UNCHECKED
    assert found.reason is not None
    assert "got 403" in found.reason


def test_two_places_amount_to_what_is_known_for_certain() -> None:
    expected = {
        (VERIFIED, VERIFIED): VERIFIED,
        (VERIFIED, DRIFTED): VERIFIED,
        (VERIFIED, MISSING): VERIFIED,
        (VERIFIED, UNCHECKED): VERIFIED,
        (DRIFTED, DRIFTED): DRIFTED,
        (DRIFTED, MISSING): DRIFTED,
        (DRIFTED, UNCHECKED): UNCHECKED,
        (MISSING, MISSING): MISSING,
        (MISSING, UNCHECKED): UNCHECKED,
        (UNCHECKED, UNCHECKED): UNCHECKED,
    }
    for first, second in product(ArchivalState, repeat=2):
        state = expected[first, second] if (first, second) in expected else expected[second, first]
        assert combine_states((first, second)) is state
