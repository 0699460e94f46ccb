"""What was found of an item's archival link, and the log entries that say so.

Rules, in order:

1. Each capture is an entry `archive.captured`: of the response kept here, and of the snapshot that a public archive made.
2. The check is an entry `archive.verified`, after them.
3. The reason why nothing was learnt goes on record in codes: messages quote URLs and addresses that hosts chose.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from services.ingest.archive.robust_link import ArchivalState, RobustLink
from services.ingest.archive.snapshots import TakenSnapshot
from services.ingest.archive.verification import LinkCheck
from services.ingest.archive.warc import Capture
from shared.ledger.bodies import ArchiveCaptured, ArchiveVerified
from shared.ledger.entries import Entry, build_entry
from shared.records.items import Item


@dataclass(frozen=True)
class LinkFinding:
    """What was found of an item's link, and what was kept of it where that was wanted.

    `capture` is the original's response, where there was one. `new_snapshot` is the snapshot that was made; where it is
    faithful, `link` has it already.
    """

    link: RobustLink
    check: LinkCheck
    capture: Capture | None = None
    new_snapshot: TakenSnapshot | None = None


def build_entries(item: Item, finding: LinkFinding) -> list[Entry]:
    """Build the entries that say what was found of an item: of each capture, where there are any, and of the check."""
    at, subject, check, link = finding.check.original.checked_at, {"item": item.id}, finding.check, finding.link
    verified = ArchiveVerified(
        original_url=link.original_url,
        snapshot_url=link.snapshot_url,
        expected_sha256=item.blob_sha256,
        state=check.state.value,
        reason=format_reason(check),
    )
    return [build_entry(body, at=at, subject=subject) for body in (*_captures(finding), verified)]


def _captures(finding: LinkFinding) -> Iterator[ArchiveCaptured]:
    original_url = finding.link.original_url
    if finding.capture is not None:
        yield ArchiveCaptured(
            original_url=original_url,
            locator=str(finding.capture.locator),
            snapshot_url=None,
            version_date=finding.check.original.checked_at.date().isoformat(),
            payload_sha256=finding.capture.payload_sha256,
            matches=finding.check.original.state is ArchivalState.VERIFIED,
        )
    if finding.new_snapshot is not None and (sha256 := finding.new_snapshot.check.sha256) is not None:
        yield ArchiveCaptured(
            original_url=original_url,
            locator=None,
            snapshot_url=finding.new_snapshot.snapshot.snapshot_url,
            version_date=finding.new_snapshot.snapshot.captured_at.date().isoformat(),
            payload_sha256=sha256,
            matches=finding.new_snapshot.is_faithful,
        )


def format_reason(check: LinkCheck) -> str | None:
    """Say in codes why nothing was learnt of a link; None where something was."""
    if check.state is not ArchivalState.UNCHECKED:
        return None
    places = [("original", check.original), ("snapshot", check.snapshot)]
    return "; ".join(f"{name}: {place.code}" for name, place in places if place is not None and place.code is not None)
