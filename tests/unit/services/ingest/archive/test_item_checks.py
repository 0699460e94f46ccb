"""Jobs over items: every finding on record with its entry, nothing asked twice, nothing stopped by a dead host."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from services.ingest.archive import item_checks as jobs
from services.ingest.archive.item_checks import JobScope, capture_items, check_links, count_items
from services.ingest.archive.robust_link import ArchivalState
from services.ingest.archive.verification import LinkCheck
from services.ingest.archive.warc import WarcLocator, WarcStore
from services.ingest.lifecycle.changes import record_withdrawal
from services.ingest.lifecycle.schemas import Withdrawal
from shared.canonical import sha256_hex
from shared.ledger.entries import Entry
from shared.records.items import Item, load_entry_ids
from shared.workspace import Workspace
from tests.support.factories import png, register
from tests.support.log_entries import open_entries
from tests.support.web_server import Page, WebServer, make_fetcher, web_server
from tests.unit.services.ingest.archive.fake_wayback import FakeWayback

VERIFIED, DRIFTED, MISSING, UNCHECKED = ArchivalState
ANY_TIME = JobScope(fresh_for=timedelta(0))


@pytest.fixture
def site() -> Iterator[WebServer]:
    with web_server() as running:
        FakeWayback(running).captures.append(("20260131120000", running.url("/lost.png"), png(5)))
        running.pages |= {
            "/same.png": Page(png(0)),
            "/other.png": Page(png(99)),
            "/gone.png": Page(b"gone", 410),
            "/closed.png": Page(b"no", 403),
            "/inside.png": Page(b"", 302, (("Location", "http://127.0.0.1/secret?token=1"),)),
            "/lost.png": Page(b"lost", 404),
        }
        yield running


def add(workspace: Workspace, site: WebServer, name: str, number: int, **changed: Any) -> Item:
    link = {"original_url": site.url(f"/{name}.png"), **changed.pop("link", {})}
    return register(workspace, f"{name}.png", png(number), archival_link=link, **changed)


def entries_of(workspace: Workspace, key: str) -> list[Entry]:
    with workspace.reading() as session:
        ids = load_entry_ids(session, session.exec(select(Item).where(Item.source_key == key)).one())
    return open_entries(workspace, ids)


def states(workspace: Workspace) -> dict[str, str | None]:
    with workspace.reading() as session:
        return {item.source_key: item.archival_state for item in session.exec(select(Item))}


def test_each_finding_is_on_record(any_workspace: Workspace, site: WebServer) -> None:
    for number, name in enumerate(("same", "other", "gone", "closed", "inside")):
        add(any_workspace, site, name, number)
    snapshot = site.url(f"/web/20260131120000/{site.url('/lost.png')}")
    add(any_workspace, site, "lost", 5, link={"snapshot_url": snapshot})
    register(any_workspace, "unlinked.png", png(6), archival_link=None)
    seen: list[LinkCheck] = []
    counts = check_links(any_workspace, JobScope(), make_fetcher(site), seen.append)
    assert counts == Counter({VERIFIED: 2, DRIFTED: 1, MISSING: 1, UNCHECKED: 2})
    assert len(seen) == 6
    expected = {"same": "verified", "other": "drifted", "gone": "missing", "closed": "unchecked", "inside": "unchecked"}
    found = {f"{name}.png": state for name, state in expected.items()} | {"lost.png": "verified", "unlinked.png": None}
    assert states(any_workspace) == found
    reasons = {"closed.png": "original: url_unavailable", "inside.png": "original: url_refused"}
    for key, state in found.items():
        entries = entries_of(any_workspace, key)
        assert [entry.type for entry in entries[1:]] == ([] if state is None else ["archive.verified"])
        for entry in entries[1:]:
            assert (entry.body["state"], entry.body["reason"]) == (state, reasons.get(key))
            assert entry.body["original_url"] == site.url(f"/{key}")
            assert entry.body["snapshot_url"] == (snapshot if key == "lost.png" else None)
            assert b"token" not in entry.canonical_bytes()


def test_a_job_goes_on_where_it_was(any_workspace: Workspace, site: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "PAGE_ITEMS", 2)
    for number in range(7):
        site.pages[f"/{number}.png"] = Page(png(number))
        add(any_workspace, site, str(number), number, dataset="some" if number < 5 else "rest")
    fetcher, some = make_fetcher(site), JobScope("some")
    assert count_items(any_workspace, JobScope("some", limit=3), "archival_checked_at") == 3
    assert check_links(any_workspace, JobScope("some", limit=3), fetcher).total() == 3
    assert sorted(site.paths()) == ["/0.png", "/1.png", "/2.png"]
    assert count_items(any_workspace, some, "archival_checked_at") == 2
    assert check_links(any_workspace, some, fetcher).total() == 2
    assert check_links(any_workspace, some, fetcher).total() == 0
    assert sorted(site.paths()) == [f"/{number}.png" for number in range(5)]
    assert check_links(any_workspace, JobScope("some", fresh_for=timedelta(0)), fetcher).total() == 5
    assert capture_items(any_workspace, some, fetcher).total() == 5
    assert check_links(any_workspace, JobScope(), fetcher).total() == 2
    assert any_workspace.log.integrate().size == 7 + 3 + 2 + 5 + 2 * 5 + 2


def test_a_stopped_job_keeps_what_it_recorded(workspace: Workspace, site: WebServer) -> None:
    for number in range(3):
        site.pages[f"/{number}.png"] = Page(png(number))
        add(workspace, site, str(number), number)

    def stop(_check: LinkCheck) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_links(workspace, JobScope(), make_fetcher(site), stop)
    assert list(states(workspace).values()) == ["verified", "unchecked", "unchecked"]
    assert check_links(workspace, JobScope(), make_fetcher(site)) == Counter({VERIFIED: 2})


def test_a_capture_keeps_the_response_and_says_whether_it_matches(any_workspace: Workspace, site: WebServer) -> None:
    for number, name in enumerate(("same", "other", "gone", "inside")):
        add(any_workspace, site, name, number)
    counts = capture_items(any_workspace, JobScope(), make_fetcher(site))
    assert counts == Counter({VERIFIED: 1, DRIFTED: 1, MISSING: 1, UNCHECKED: 1})
    store = WarcStore(any_workspace.home / "warc")
    for name, body, status in (("same", png(0), 200), ("other", png(99), 200), ("gone", b"gone", 410)):
        _, captured, verified = entries_of(any_workspace, f"{name}.png")
        assert (captured.type, verified.type) == ("archive.captured", "archive.verified")
        assert (captured.body["payload_sha256"], captured.body["matches"]) == (sha256_hex(body), name == "same")
        kept = store.load(WarcLocator.parse(str(captured.body["locator"])))
        assert (kept.url, kept.status, kept.body) == (site.url(f"/{name}.png"), status, body)
    assert [entry.type for entry in entries_of(any_workspace, "inside.png")] == ["item.registered", "archive.verified"]
    assert capture_items(any_workspace, JobScope(), make_fetcher(site)).total() == 0


def test_withdrawn_items_are_left_alone(workspace: Workspace, site: WebServer) -> None:
    before = add(workspace, site, "same", 0)
    with workspace.writing() as session:
        record_withdrawal(session, before.id, Withdrawal(reason="opted out"))
    meanwhile = add(workspace, site, "other", 1)

    def withdraw(_handler: Any) -> Page:
        with workspace.writing() as session:
            record_withdrawal(session, meanwhile.id, Withdrawal(reason="opted out"))
        return Page(png(1))

    site.pages["/other.png"] = withdraw
    assert check_links(workspace, JobScope(), make_fetcher(site)) == Counter()
    assert site.paths() == ["/other.png"]
    assert states(workspace) == {"same.png": "unchecked", "other.png": "unchecked"}


def test_a_later_check_that_learns_nothing_keeps_the_earlier_finding_in_the_log(workspace: Workspace, site: WebServer) -> None:
    add(workspace, site, "same", 0)
    check_links(workspace, JobScope(), make_fetcher(site))
    site.pages["/same.png"] = Page(b"", 403)
    assert check_links(workspace, JobScope(), make_fetcher(site)).total() == 0
    assert check_links(workspace, ANY_TIME, make_fetcher(site)) == Counter({UNCHECKED: 1})
    assert [entry.body.get("state") for entry in entries_of(workspace, "same.png")] == [None, "verified", "unchecked"]
    with workspace.reading() as session:
        assert session.exec(select(col(Item.archival_state))).one() == "unchecked"
