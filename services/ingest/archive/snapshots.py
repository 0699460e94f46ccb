"""Snapshots of originals in a public archive, a few at a time, each believed only after it was fetched and compared.

Rules, in order:

1. Few captures at once, and a pause between the beginnings of two: the archive is a charity's, and shared.
2. A snapshot counts once the archive has served it and its bytes could be compared. It may take a moment to be served.
3. A failure leaves the item without a snapshot and stops nothing. After several in a row the archive is asked no more by this
   job: it is down, or out of patience with us, or does not know the keys.
4. How many were kept, and which failures there were, is counted by code.

Source: Save Page Now 2 API (documentation of 2022-04-05), "Limitations" and "User status".
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass

from services.ingest.archive.robust_link import ArchivalState
from services.ingest.archive.verification import PlaceCheck, check_place
from services.ingest.archive.wayback import WAYBACK_URL, Snapshot, WaybackClient, WaybackKeys, raw_snapshot_url
from shared.errors import InputError, SleeveError
from shared.fetching.fetcher import Fetcher, build_fetcher
from shared.settings import Settings

# Well below the 12 that the documentation allows an account: other programs may use the account as well.
AT_ONCE = 2
# Two captures at once take some ten seconds; so no more than twelve a minute are begun, however quick the archive is.
PAUSE_SECONDS = 5.0
# Looks at a snapshot that is not served yet, and the wait before each but the first.
LOOKS = 3
LOOK_SECONDS = 5.0
# Failures of single URLs are common and rarely come three in a row.
FAILURES_IN_A_ROW = 3

KEPT, NOT_ASKED = "kept", "not_asked"


@dataclass(frozen=True)
class TakenSnapshot:
    """A snapshot that the archive made and has served, and what it served."""

    snapshot: Snapshot
    check: PlaceCheck

    @property
    def is_faithful(self) -> bool:
        """Say whether it served the bytes that were acquired."""
        return self.check.state is ArchivalState.VERIFIED


class SnapshotTaker:
    """Has an archive make snapshots; may be used by many threads at once.

    Args:
        client: talks to the archive.
        fetcher: fetches what the archive serves.
        at_once: captures at once.
        pause_seconds: between the beginnings of two captures.
        look_seconds: between looks at a snapshot that is not served yet.
    """

    def __init__(
        self,
        client: WaybackClient,
        fetcher: Fetcher,
        *,
        at_once: int = AT_ONCE,
        pause_seconds: float = PAUSE_SECONDS,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._client, self._fetcher = client, fetcher
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._pause_seconds, self._look_seconds = pause_seconds, look_seconds
        self._next_at = 0.0
        self._failures = 0
        self.counts: Counter[str] = Counter()

    def take(self, url: str, expected_sha256: str) -> TakenSnapshot | None:
        """Have a snapshot made of a URL, and compare what the archive serves of it.

        Args:
            url: of the original.
            expected_sha256: of the bytes as acquired.

        Returns:
            The snapshot; None where there is none, or nothing could be learnt of it; `counts` says why.
        """
        with self._turns:
            if self._failures >= FAILURES_IN_A_ROW:
                self._count(NOT_ASKED)
                return None
            self._wait_for_beginning()
            try:
                snapshot = self._client.capture(url)
            except SleeveError as error:
                self._failures += 1
                self._count(error.code)
                return None
        self._failures = 0
        check = self._look(raw_snapshot_url(snapshot.snapshot_url), expected_sha256)
        if check.sha256 is None:
            self._count(check.code or check.state.value)
            return None
        self._count(KEPT if check.state is ArchivalState.VERIFIED else check.state.value)
        return TakenSnapshot(snapshot, check)

    def _wait_for_beginning(self) -> None:
        with self._lock:
            begins_at = max(self._next_at, time.monotonic())
            self._next_at = begins_at + self._pause_seconds
        time.sleep(max(0.0, begins_at - time.monotonic()))

    def _look(self, url: str, expected_sha256: str) -> PlaceCheck:
        check = check_place(self._fetcher, url, expected_sha256)
        for _ in range(LOOKS - 1):
            if check.sha256 is not None:
                break
            time.sleep(self._look_seconds)
            check = check_place(self._fetcher, url, expected_sha256)
        return check

    def _count(self, code: str) -> None:
        with self._lock:
            self.counts[code] += 1


def build_snapshot_taker(settings: Settings) -> SnapshotTaker:
    """Make what takes snapshots with the account of the settings.

    Raises:
        InputError: code `wayback_keys_missing`; the settings name no account.
    """
    access, secret = settings.wayback_access_key, settings.wayback_secret
    if access is None or secret is None:
        message = "expected SLEEVE_WAYBACK_ACCESS_KEY and SLEEVE_WAYBACK_SECRET to ask for snapshots with, got none"
        raise InputError(message, code="wayback_keys_missing")
    fetcher, keys = build_fetcher(settings), WaybackKeys(access, secret)
    client = WaybackClient(fetcher, keys, settings.wayback_url or WAYBACK_URL)
    # The pauses as the module has them when this is called.
    return SnapshotTaker(client, fetcher, pause_seconds=PAUSE_SECONDS, look_seconds=LOOK_SECONDS)
