"""Jobs over many items: check their archival links, or capture their originals, and put each finding on record.

Rules, in order:

1. Active items with an archival link are walked in the order of their ids. One looked at for the same job within `fresh_for`
   is left out, so that a job which was stopped goes on where it was, and `limit` cuts a long one into parts.
2. Places are fetched many at once, and few at once from one host. No transaction is open meanwhile.
3. What was found of an item is recorded in one transaction: the state on the item, an entry `archive.verified`, and the item's
   history. An item withdrawn meanwhile is left as it is.
4. A capture is a check that keeps the original's response, whatever its status, and says so in an entry `archive.captured`.
5. Where asked for, an original that still serves the acquired bytes and has no snapshot gets one in a public archive. Another
   entry `archive.captured` says what it serves; only one that serves these bytes too becomes part of the item's link.
6. A place that cannot be reached makes a finding, *unchecked* with its reason, and stops nothing. A full disk stops the job.
7. The reason goes on record in codes: messages quote URLs and addresses that hosts chose.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial

from sqlmodel import Session

from services.ingest.archive.link_findings import LinkFinding, build_entries
from services.ingest.archive.robust_link import ArchivalState, RobustLink
from services.ingest.archive.snapshots import SnapshotTaker
from services.ingest.archive.verification import LinkCheck, check_archival_link
from services.ingest.archive.warc import Capture, WarcStore
from shared.clock import utc_now
from shared.errors import InputError
from shared.fetching.addresses import parse_target
from shared.fetching.fetcher import Fetched, Fetcher
from shared.fetching.politeness import PolitePool
from shared.ledger.log import Log
from shared.records.archival import DueBy, DueItems, count_due_items, load_due_items, save_archival_state
from shared.records.items import Item, lock_item
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
        as_of: the time that `fresh_for` counts back from; now where it is not given. A job that is run again keeps its own,
            and so leaves out what it has looked at before.
    """

    dataset: str | None = None
    limit: int | None = None
    fresh_for: timedelta = FRESH_FOR
    as_of: datetime | None = None

    def due(self, by: DueBy) -> DueItems:
        """Return the items that are due."""
        return DueItems(by, (self.as_of or utc_now()) - self.fresh_for, self.dataset)


@dataclass(frozen=True)
class Keeping:
    """What a capture keeps: responses here, and snapshots in a public archive where these are asked for."""

    store: WarcStore
    snapshots: SnapshotTaker | None = None


def count_items(workspace: Workspace, scope: JobScope, by: DueBy) -> int:
    """Return how many items a job will look at."""
    with workspace.reading() as session:
        count = count_due_items(session, scope.due(by))
    return count if scope.limit is None else min(count, scope.limit)


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
    workspace: Workspace,
    scope: JobScope,
    fetcher: Fetcher,
    on_item: OnItem = lambda _check: None,
    snapshots: SnapshotTaker | None = None,
) -> Counter[ArchivalState]:
    """Keep the responses of items' originals in `warc/` of the home folder, and record them and what they say of the links.

    Arguments, result and errors are those of `check_links`; `snapshots` has a public archive keep originals as well.
    """
    return _run(workspace, scope, fetcher, on_item, Keeping(WarcStore(workspace.home / "warc"), snapshots))


def _run(
    workspace: Workspace, scope: JobScope, fetcher: Fetcher, on_item: OnItem, keeping: Keeping | None
) -> Counter[ArchivalState]:
    counts: Counter[ArchivalState] = Counter()
    due = scope.due("archival_checked_at" if keeping is None else "capture_tried_at")
    with PolitePool[LinkFinding](PARALLEL, PARALLEL_PER_HOST) as pool:
        for page in _pages(workspace, due, scope.limit):
            started = [(item, _start(pool, item, fetcher, keeping)) for item in page]
            for item, future in started:
                finding = future.result()
                if _record(workspace, item.id, finding, capture_tried=keeping is not None):
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


def _start(pool: PolitePool[LinkFinding], item: Item, fetcher: Fetcher, keeping: Keeping | None) -> Future[LinkFinding]:
    link = build_link(item)
    # Originals are of many hosts and snapshots of few: it is the archive that must not be asked for too much at once.
    host = _host_of(link.snapshot_url or link.original_url, fetcher)
    return pool.submit(host, partial(_look, link, item.blob_sha256, fetcher, keeping))


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


def _look(link: RobustLink, expected_sha256: str, fetcher: Fetcher, keeping: Keeping | None) -> LinkFinding:
    captures: list[Capture] = []

    def keep(fetched: Fetched) -> None:
        if keeping is not None:
            captures.append(keeping.store.save(fetched))

    check = check_archival_link(fetcher, link, expected_sha256, keep)
    finding = LinkFinding(link, check, captures[0] if captures else None)
    if keeping is None or keeping.snapshots is None:
        return finding
    return _with_snapshot(finding, expected_sha256, keeping.snapshots)


def _with_snapshot(finding: LinkFinding, expected_sha256: str, snapshots: SnapshotTaker) -> LinkFinding:
    """Have a snapshot made where the link has none and the original is still what was acquired."""
    link, original = finding.link, finding.check.original
    if link.snapshot_url is not None or original.state is not ArchivalState.VERIFIED:
        return finding
    new_snapshot = snapshots.take(link.original_url, expected_sha256)
    if new_snapshot is None or not new_snapshot.is_faithful:
        return replace(finding, new_snapshot=new_snapshot)
    snapshot = new_snapshot.snapshot
    link_with_snapshot = replace(link, snapshot_url=snapshot.snapshot_url, version_date=snapshot.captured_at.date())
    return replace(finding, link=link_with_snapshot, check=LinkCheck(original, new_snapshot.check), new_snapshot=new_snapshot)


def _record(workspace: Workspace, item_id: str, finding: LinkFinding, *, capture_tried: bool) -> bool:
    """Record what was found of an item, unless it was withdrawn meanwhile; say whether it was recorded."""
    with workspace.writing() as session:
        item = lock_item(session, item_id)
        if item.state != "active":
            return False
        _append(session, item, finding, capture_tried=capture_tried)
        return True


def _append(session: Session, item: Item, finding: LinkFinding, *, capture_tried: bool) -> None:
    entries = build_entries(item, finding)
    checked_at = finding.check.original.checked_at
    entry_ids = Log.append(session, entries)
    if finding.new_snapshot is not None and finding.new_snapshot.is_faithful and item.archival_snapshot_url is None:
        item.archival_snapshot_url = finding.link.snapshot_url
        item.archival_version_date = finding.new_snapshot.snapshot.captured_at.date().isoformat()
    save_archival_state(session, item, finding.check.state.value, checked_at, entry_ids, capture_tried=capture_tried)
