"""Snapshots in a public archive: few at a time, believed after they were compared, on record, and never in the way."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

import pytest
from pydantic import SecretStr
from sqlmodel import select

from services.ingest.archive.item_checks import JobScope, capture_items
from services.ingest.archive.robust_link import ArchivalState
from services.ingest.archive.snapshots import SnapshotTaker, build_snapshot_taker
from services.ingest.archive.wayback import WaybackClient, WaybackKeys
from shared.canonical import sha256_hex
from shared.errors import InputError
from shared.ledger.entries import Entry
from shared.records.items import Item, load_entry_ids
from shared.settings import Settings
from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.support.log_entries import open_entries
from tests.support.web_server import Page, WebServer, make_fetcher, web_server
from tests.unit.services.ingest.archive.fake_wayback import FakeWayback

KEYS = WaybackKeys(SecretStr("key"), SecretStr("secret"))


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as running:
        running.pages |= {f"/{number}.png": Page(png(number)) for number in range(6)}
        yield running


@pytest.fixture
def archive() -> Iterator[FakeWayback]:
    with web_server() as running:
        yield FakeWayback(running, polls=1)


def taker(archive: FakeWayback, at_once: int = 2, pause_seconds: float = 0.0, keys: WaybackKeys = KEYS) -> SnapshotTaker:
    fetcher = make_fetcher(archive.site, attempts=1)
    client = WaybackClient(fetcher, keys, archive.site.url(""), poll_seconds=0.01, job_seconds=1)
    return SnapshotTaker(client, fetcher, at_once=at_once, pause_seconds=pause_seconds, look_seconds=0.01)


def add(workspace: Workspace, site: WebServer, archive: FakeWayback, number: int, **link: str) -> Item:
    url = site.url(f"/{number}.png")
    archive.content[url] = png(number)
    return register(workspace, f"{number}.png", png(number), archival_link={"original_url": url, **link})


def entries_of(workspace: Workspace, item: Item) -> list[Entry]:
    with workspace.reading() as session:
        ids = load_entry_ids(session, session.get_one(Item, item.id))
    return open_entries(workspace, ids)


def captured(workspace: Workspace, site: WebServer, snapshots: SnapshotTaker) -> Counter[ArchivalState]:
    return capture_items(workspace, JobScope(), make_fetcher(site), snapshots=snapshots)


def test_a_snapshot_that_serves_the_acquired_bytes_becomes_part_of_the_link(
    any_workspace: Workspace, site: WebServer, archive: FakeWayback
) -> None:
    item = add(any_workspace, site, archive, 1)
    archive.delay = 2
    snapshots = taker(archive)
    assert captured(any_workspace, site, snapshots) == Counter({ArchivalState.VERIFIED: 1})
    assert snapshots.counts == Counter(kept=1)
    url = archive.site.url(f"/web/20260131120000/{site.url('/1.png')}")
    with any_workspace.reading() as session:
        kept = session.get_one(Item, item.id)
        assert (kept.archival_snapshot_url, kept.archival_version_date) == (url, "2026-01-31")
        assert kept.archival_state == "verified"
    registered, here, there, verified = entries_of(any_workspace, item)
    assert [one.type for one in (registered, here, there, verified)] == [
        "item.registered",
        "archive.captured",
        "archive.captured",
        "archive.verified",
    ]
    assert here.body["snapshot_url"] is None
    assert there.body == {
        "original_url": site.url("/1.png"),
        "locator": None,
        "snapshot_url": url,
        "version_date": "2026-01-31",
        "payload_sha256": sha256_hex(png(1)),
        "matches": True,
    }
    assert (verified.body["snapshot_url"], verified.body["state"]) == (url, "verified")
    form = parse_qs(next(one for one in archive.site.seen if one.method == "POST").body.decode())
    assert form == {
        "url": [site.url("/1.png")],
        "force_get": ["1"],
        "skip_first_archive": ["1"],
        "if_not_archived_within": ["1d"],
    }
    assert all("Authorization" not in one.headers for one in (*site.seen, *archive.site.seen) if "/save" not in one.path)


def test_a_snapshot_of_other_bytes_is_on_record_and_not_in_the_link(
    workspace: Workspace, site: WebServer, archive: FakeWayback
) -> None:
    item = add(workspace, site, archive, 1)
    archive.content.clear()
    snapshots = taker(archive)
    captured(workspace, site, snapshots)
    assert snapshots.counts == Counter(drifted=1)
    there = entries_of(workspace, item)[2]
    assert (there.body["matches"], there.body["payload_sha256"]) == (False, sha256_hex(b"captured"))
    with workspace.reading() as session:
        kept = session.get_one(Item, item.id)
        assert (kept.archival_snapshot_url, kept.archival_state) == (None, "verified")


def test_no_snapshot_is_asked_for_without_need(workspace: Workspace, site: WebServer, archive: FakeWayback) -> None:
    with_one = {"snapshot_url": archive.site.url("/web/20200101000000/x"), "version_date": "2020-01-01"}
    add(workspace, site, archive, 1, **with_one)
    add(workspace, site, archive, 2)
    add(workspace, site, archive, 3)
    site.pages |= {"/2.png": Page(png(99)), "/3.png": Page(b"gone", 410)}
    snapshots = taker(archive)
    captured(workspace, site, snapshots)
    assert snapshots.counts == Counter()
    assert not [one for one in archive.site.seen if one.method == "POST"]


def never_served(archive: FakeWayback) -> None:
    archive.delay = 99


def failing(archive: FakeWayback) -> None:
    archive.failure = "error:invalid-host-resolution"


def refusing(archive: FakeWayback) -> None:
    archive.site.pages["/save"] = Page(b'{"status": "error", "message": "This URL has been already captured 5 times today."}')


def silent(archive: FakeWayback) -> None:
    archive.polls = 10_000


@pytest.mark.parametrize(
    ("trouble", "code"),
    [(never_served, "missing"), (failing, "wayback_failed"), (refusing, "wayback_refused"), (silent, "wayback_pending")],
)
def test_a_failure_leaves_the_item_without_a_snapshot(
    workspace: Workspace, site: WebServer, archive: FakeWayback, trouble: Callable[[FakeWayback], None], code: str
) -> None:
    item = add(workspace, site, archive, 1)
    trouble(archive)
    snapshots = taker(archive)
    assert captured(workspace, site, snapshots) == Counter({ArchivalState.VERIFIED: 1})
    assert snapshots.counts == Counter({code: 1})
    types = [entry.type for entry in entries_of(workspace, item)]
    assert types == ["item.registered", "archive.captured", "archive.verified"]
    with workspace.reading() as session:
        assert session.exec(select(Item.archival_snapshot_url)).one() is None


def test_after_three_failures_in_a_row_the_archive_is_asked_no_more(
    workspace: Workspace, site: WebServer, archive: FakeWayback
) -> None:
    for number in range(6):
        add(workspace, site, archive, number)
    snapshots = taker(archive, at_once=1, keys=WaybackKeys(SecretStr("wrong"), SecretStr("keys")))
    assert captured(workspace, site, snapshots) == Counter({ArchivalState.VERIFIED: 6})
    assert snapshots.counts == Counter(url_unavailable=3, not_asked=3)
    assert archive.site.paths() == ["/save"] * 3


def test_few_captures_run_at_once_with_a_pause_between_them(
    workspace: Workspace, site: WebServer, archive: FakeWayback
) -> None:
    for number in range(6):
        add(workspace, site, archive, number)
    lock, began, running, most = threading.Lock(), [], 0, 0

    def submitted(handler: BaseHTTPRequestHandler) -> Page:
        nonlocal running, most
        with lock:
            began.append(time.monotonic())
            running += 1
            most = max(most, running)
        page = archive.submit()
        time.sleep(0.12)
        with lock:
            running -= 1
        return page

    archive.site.pages["/save"] = submitted
    snapshots = taker(archive, at_once=2, pause_seconds=0.05)
    started_at = time.monotonic()
    captured(workspace, site, snapshots)
    assert snapshots.counts == Counter(kept=6)
    assert most == 2
    assert max(began) - started_at >= 5 * 0.05


def test_without_an_account_snapshots_are_refused() -> None:
    with pytest.raises(InputError, match="SLEEVE_WAYBACK_ACCESS_KEY") as caught:
        build_snapshot_taker(Settings())
    assert caught.value.code == "wayback_keys_missing"
