"""Jobs over many items: check their archival links, or capture their originals, and put each finding on record.

Rules, in order:

1. Active items with an archival link are walked in the order of their ids. One looked at for the same job within `fresh_for`
   is left out, so that a job which was stopped goes on where it was, and `limit` cuts a long one into parts.
2. Places are fetched many at once, and few at once from one host. No transaction is open meanwhile.
3. What was found of an item is recorded in one transaction: the state on the item, an entry `archive.verified`, and the item's
   history. An item withdrawn meanwhile is left as it is.
4. A capture is a check that keeps the original's response, whatever its status, and says so in an entry `archive.captured`.
5. A place that cannot be reached makes a finding, *unchecked* with its reason, and stops nothing. A full disk stops the job.
6. The reason goes into the log in codes: messages quote URLs and addresses that hosts chose, and the log forgets nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from sqlmodel import Session

from services.ingest.archive.robust_link import ArchivalState, RobustLink
from services.ingest.archive.verification import LinkCheck, check_archival_link
from services.ingest.archive.warc import Capture, WarcStore
from shared.clock import utc_now
from shared.errors import InputError
from shared.fetching.addresses import parse_target
from shared.fetching.fetcher import Fetched, Fetcher
from shared.fetching.politeness import PolitePool
from shared.ledger.entries import Entry, build_entry
from shared.ledger.log import Log
from shared.records.archival import DueBy, DueItems, count_due_items, load_due_items, save_archival_state
from shared.records.items import Item, load_item
from shared.workspace import Workspace

# As for URL lists: enough that the threads stay busy behind a slow host, few enough that their images fit in memory.
PARALLEL = 16
PARALLEL_PER_HOST = 2
# Items of one page are all fetched before the next page is read, and integrated into the log together.
PAGE_ITEMS = 200
# A job that is started again on the same day goes on.
FRESH_FOR = timedelta(days=1)

OnItem = Callable[[LinkCheck], None]


@dataclass(frozen=True)
class JobScope:
    """Which items a job is about.

    Args:
        dataset: of this data set only.
        limit: how many at most.
        fresh_for: those looked at more recently are left out.
    """

    dataset: str | None = None
    limit: int | None = None
    fresh_for: timedelta = FRESH_FOR

    def due(self, by: DueBy) -> DueItems:
        """Return the items that are due now."""
        return DueItems(by, utc_now() - self.fresh_for, self.dataset)


@dataclass(frozen=True)
class Finding:
    """What was found of an item's link, and the capture of its original where one was wanted and there was a response."""

    link: RobustLink
    check: LinkCheck
    capture: Capture | None = None


def count_items(workspace: Workspace, scope: JobScope, by: DueBy) -> int:
    """Return how many items a job will look at."""
    with workspace.reading() as session:
        found = count_due_items(session, scope.due(by))
    return found if scope.limit is None else min(found, scope.limit)


def check_links(
    workspace: Workspace, scope: JobScope, fetcher: Fetcher, on_item: OnItem = lambda _check: None
) -> Counter[ArchivalState]:
    """Check the archival links of items and record what was found.

    Args:
        workspace: whose items.
        scope: which of them.
        fetcher: its caps and its policy hold for every place.
        on_item: given each item's check, in the order of the items, once it is recorded, or the item found withdrawn.

    Returns:
        How many links were found in which state.

    Raises:
        UnavailableError: the database is down.
    """
    return _run(workspace, scope, fetcher, on_item, None)


def capture_items(
    workspace: Workspace, scope: JobScope, fetcher: Fetcher, on_item: OnItem = lambda _check: None
) -> Counter[ArchivalState]:
    """Keep the responses of items' originals in `warc/` of the home folder, and record them and what they say of the links.

    Arguments, result and errors are those of `check_links`.
    """
    return _run(workspace, scope, fetcher, on_item, WarcStore(workspace.home / "warc"))


def _run(
    workspace: Workspace, scope: JobScope, fetcher: Fetcher, on_item: OnItem, store: WarcStore | None
) -> Counter[ArchivalState]:
    counts: Counter[ArchivalState] = Counter()
    due = scope.due("archival_checked_at" if store is None else "capture_tried_at")
    with PolitePool[Finding](PARALLEL, PARALLEL_PER_HOST) as pool:
        for page in _pages(workspace, due, scope.limit):
            started = [(item, _start(pool, item, fetcher, store)) for item in page]
            for item, future in started:
                finding = future.result()
                if _record(workspace, item.id, finding, capture_tried=store is not None):
                    counts[finding.check.state] += 1
                on_item(finding.check)
            workspace.log.integrate()
    return counts


def _pages(workspace: Workspace, due: DueItems, limit: int | None) -> Iterator[list[Item]]:
    after, left = "", limit
    while left is None or left > 0:
        with workspace.reading() as session:
            page = load_due_items(session, due, after, PAGE_ITEMS if left is None else min(left, PAGE_ITEMS))
        if not page:
            return
        yield page
        after, left = page[-1].id, None if left is None else left - len(page)


def _start(pool: PolitePool[Finding], item: Item, fetcher: Fetcher, store: WarcStore | None) -> Future[Finding]:
    link = build_link(item)
    # Originals are of many hosts and snapshots of few: it is the archive that must not be asked for too much at once.
    host = _host_of(link.snapshot_url or link.original_url, fetcher)
    return pool.submit(host, partial(_look, link, item.blob_sha256, fetcher, store))


def build_link(item: Item) -> RobustLink:
    """Return the archival link of an item that has one.

    Raises:
        InputError: code `link_invalid`; the item has no source URL, or its link is unusable.
    """
    day = date.fromisoformat(item.archival_version_date) if item.archival_version_date else None
    return RobustLink(item.source_url or "", item.archival_snapshot_url, day, item.blob_sha256)


def _host_of(url: str, fetcher: Fetcher) -> str:
    try:
        return parse_target(url, fetcher.policy).host
    except InputError:
        return ""  # nothing will be fetched, and the check says why


def _look(link: RobustLink, expected_sha256: str, fetcher: Fetcher, store: WarcStore | None) -> Finding:
    captures: list[Capture] = []

    def keep(fetched: Fetched) -> None:
        if store is not None:
            captures.append(store.save(fetched))

    check = check_archival_link(fetcher, link, expected_sha256, keep)
    return Finding(link, check, captures[0] if captures else None)


def _record(workspace: Workspace, item_id: str, finding: Finding, *, capture_tried: bool) -> bool:
    """Record what was found of an item, unless it was withdrawn meanwhile; say whether it was recorded."""
    with workspace.writing() as session:
        item = load_item(session, item_id)
        if item.state != "active":
            return False
        _append(session, item, finding, capture_tried=capture_tried)
        return True


def _append(session: Session, item: Item, finding: Finding, *, capture_tried: bool) -> None:
    entries = build_entries(item, finding)
    checked_at = finding.check.original.checked_at
    entry_ids = Log.append(session, entries)
    save_archival_state(session, item, finding.check.state.value, checked_at, entry_ids, capture_tried=capture_tried)


def build_entries(item: Item, finding: Finding) -> list[Entry]:
    """Build the entries that say what was found of an item: of the capture, where there is one, and of the check."""
    at, subject, check, link = finding.check.original.checked_at, {"item": item.id}, finding.check, finding.link
    body = {
        "original_url": link.original_url,
        "snapshot_url": link.snapshot_url,
        "expected_sha256": item.blob_sha256,
        "state": check.state.value,
        "reason": format_reason(check),
    }
    verified = build_entry("archive.verified", at=at, subject=subject, body=body)
    if finding.capture is None:
        return [verified]
    kept = {
        "original_url": link.original_url,
        "locator": str(finding.capture.locator),
        "payload_sha256": finding.capture.payload_sha256,
        "matches": check.original.state is ArchivalState.VERIFIED,
    }
    return [build_entry("archive.captured", at=at, subject=subject, body=kept), verified]


def format_reason(check: LinkCheck) -> str | None:
    """Say in codes why nothing was learnt of a link; None where something was."""
    if check.state is not ArchivalState.UNCHECKED:
        return None
    places = [("original", check.original), ("snapshot", check.snapshot)]
    return "; ".join(f"{name}: {place.code}" for name, place in places if place is not None and place.code is not None)
