"""The Wayback Machine: ask it for a snapshot, wait for it, and find the snapshots that it has.

Rules, in order:

1. Everything goes through the safe fetcher; the keys go to the archive's own origin only.
2. A snapshot is asked for by a job: submitted, then polled until it succeeds, fails, or the time is up. What the archive says
   of a failure is passed on.
3. Of two snapshots the one nearer in time is the nearest; one before goes before one after at the same distance.
4. A snapshot's `id_` form has the bytes as the archive got them; without it, the archive edits what it replays.

Source: Save Page Now 2 API (documentation of 2022-04-05); Wayback CDX Server API
(https://github.com/internetarchive/wayback/tree/master/wayback-cdx-server).
"""

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from shared.errors import InputError, UnavailableError
from shared.fetching.fetcher import Fetcher

WAYBACK_URL = "https://web.archive.org"
# The documentation says how long jobs take: seconds to two minutes; its own example polls every five seconds.
POLL_SECONDS = 5.0
JOB_SECONDS = 180.0

# A job that is run again is given the day's snapshot, not a further one; what it holds is compared anyway.
NOT_WITHIN = "1d"

# The archive's times: https://archive.org/web/researcher/cdx_file_format.php, field "b".
_STAMP = "%Y%m%d%H%M%S"
# A replay URL, with or without a flag such as `id_` or `im_` after the time.
_REPLAY = re.compile(r"(?P<head>https?://[^/]+/web/\d{14})(?:[a-z]{2}_)?/(?P<url>https?:/.+)", re.ASCII | re.IGNORECASE)
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


@dataclass(frozen=True)
class WaybackKeys:
    """An account's keys, from https://archive.org/account/s3.php."""

    access: SecretStr
    secret: SecretStr

    def authorization(self) -> str:
        """Return the value of the Authorization header."""
        return f"LOW {self.access.get_secret_value()}:{self.secret.get_secret_value()}"


@dataclass(frozen=True)
class Snapshot:
    """A copy of a URL in the archive; `sha1` is the archive's digest of its bytes in hexadecimal, None where not told."""

    original_url: str
    captured_at: datetime
    snapshot_url: str
    sha1: str | None = None


class WaybackClient:
    """Talks to the Wayback Machine, or to whatever speaks the same HTTP.

    Args:
        fetcher: its limits hold for each request.
        keys: needed for submitting; looking up works without.
        base_url: without a slash at the end.
        poll_seconds: between two looks at a job.
        job_seconds: after which a job is no longer waited for.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        keys: WaybackKeys | None = None,
        base_url: str = WAYBACK_URL,
        poll_seconds: float = POLL_SECONDS,
        job_seconds: float = JOB_SECONDS,
    ) -> None:
        self._fetcher = fetcher
        self._keys = keys
        self._base_url = base_url.rstrip("/")
        self._poll_seconds = poll_seconds
        self._job_seconds = job_seconds

    def submit(self, url: str) -> str:
        """Ask for a snapshot.

        Returns:
            The job's id, for `poll` and `wait`.

        Raises:
            InputError: code `wayback_refused`; the client has no keys, or the archive does not take the URL.
            UnavailableError: the archive does not answer, or not as documented.
        """
        # A plain GET: what is archived is an image, and no browser need render it.
        form = {"url": url, "force_get": "1", "skip_first_archive": "1", "if_not_archived_within": NOT_WITHIN}
        answer = self._ask("/save", form=form)
        job_id = answer.get("job_id")
        if isinstance(job_id, str) and _JOB_ID.fullmatch(job_id):
            return job_id
        if answer.get("status") == "error":
            raise InputError(f"the archive refused {url}: {_reason(answer)}", code="wayback_refused")
        raise _undocumented("a job_id", answer)

    def poll(self, job_id: str) -> Snapshot | None:
        """Look at a job once.

        Returns:
            The snapshot, or None while the job is pending.

        Raises:
            UnavailableError: code `wayback_failed` with the archive's reason, or as for `submit`.
        """
        if _JOB_ID.fullmatch(job_id) is None:
            raise InputError(f"expected a job's id, got {job_id!r}", code="wayback_refused")
        answer = self._ask(f"/save/status/{job_id}")
        status = answer.get("status")
        if status == "pending":
            return None
        if status == "success":
            return self._build_snapshot(answer.get("timestamp"), answer.get("original_url"), None)
        if status == "error":
            raise UnavailableError(f"the archive made no snapshot: {_reason(answer)}", code="wayback_failed")
        raise _undocumented("a status pending, success or error", answer)

    def capture(self, url: str) -> Snapshot:
        """Ask for a snapshot and wait for it.

        Raises:
            InputError: as for `submit`.
            UnavailableError: as for `poll`, or code `wayback_pending` after `job_seconds`; the snapshot may still be made.
        """
        job_id = self.submit(url)
        end = time.monotonic() + self._job_seconds
        while (snapshot := self.poll(job_id)) is None:
            if time.monotonic() + self._poll_seconds > end:
                waited = f"expected a snapshot of {url} within {self._job_seconds:g} s, job {job_id} is still pending"
                raise UnavailableError(waited, code="wayback_pending")
            time.sleep(self._poll_seconds)
        return snapshot

    def find_nearest(self, url: str, moment: datetime, data: bytes | None = None) -> Snapshot | None:
        """Find the snapshot nearest to a time, of those that the archive got with status 200.

        Args:
            url: of the original.
            moment: aware.
            data: if given, only snapshots whose digest is that of these bytes count.

        Returns:
            The snapshot, or None where the archive has none.

        Raises:
            UnavailableError: the archive does not answer, or not as documented.
        """
        stamp = moment.astimezone(UTC).strftime(_STAMP)
        query = [("url", url), ("output", "json"), ("fl", "timestamp,original,digest"), ("filter", "statuscode:200")]
        if data is not None:
            query.append(("filter", f"digest:{_archive_digest(data)}"))
        before = self._look_up([*query, ("to", stamp), ("limit", "-1")])
        after = self._look_up([*query, ("from", stamp), ("limit", "1")])
        snapshots = [*before, *after]
        return min(snapshots, key=lambda snapshot: abs(snapshot.captured_at - moment)) if snapshots else None

    def _look_up(self, query: list[tuple[str, str]]) -> list[Snapshot]:
        rows = self._load(f"/cdx/search/cdx?{urlencode(query)}")
        if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == 3 for row in rows):
            raise _undocumented("a list of rows of three", rows)
        # The first row names the columns; without any snapshot there is no row at all.
        return [self._build_snapshot(*row) for row in rows[1:]]

    def _build_snapshot(self, stamp: Any, original: Any, digest: Any) -> Snapshot:
        try:
            captured_at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
            # A dash stands where the archive has no digest.
            sha1 = base64.b32decode(digest).hex() if digest not in {None, "-"} else None
        except (TypeError, ValueError) as error:
            raise _undocumented("a time and a digest", [stamp, digest]) from error
        if not isinstance(original, str):
            raise _undocumented("the original's URL", original)
        return Snapshot(original, captured_at, f"{self._base_url}/web/{stamp}/{original}", sha1)

    def _ask(self, path: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
        if self._keys is None:
            raise InputError("expected keys for Save Page Now, got none", code="wayback_refused")
        answer = self._load(path, {"Authorization": self._keys.authorization()}, form)
        if not isinstance(answer, dict):
            raise _undocumented("an object", answer)
        return answer

    def _load(self, path: str, headers: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None) -> Any:
        added = {"Accept": "application/json", **(headers or {})}
        fetched = self._fetcher.fetch(self._base_url + path, headers=added, form=form)
        fetched.verify_ok()
        try:
            return json.loads(fetched.body)
        except (ValueError, RecursionError) as error:
            raise _undocumented("JSON", fetched.body[:80]) from error


def raw_snapshot_url(snapshot_url: str) -> str:
    """Return where a snapshot's bytes are as the archive got them; other archives' URLs are returned as they are.

    >>> raw_snapshot_url("https://web.archive.org/web/20260131120000/https://example.org/a.png")
    'https://web.archive.org/web/20260131120000id_/https://example.org/a.png'
    """
    match = _REPLAY.fullmatch(snapshot_url)
    return f"{match['head']}id_/{match['url']}" if match else snapshot_url


def _archive_digest(data: bytes) -> str:
    # The archive's index names payloads by SHA-1 in base32; it serves to find them here, and proves nothing.
    return base64.b32encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def _reason(answer: Mapping[str, Any]) -> str:
    return str(answer.get("message") or answer.get("status_ext") or "no reason given")


def _undocumented(expected: str, got: Any) -> UnavailableError:
    quoted = quote(str(got)[:200], safe=" {}[]':,/.\"_-")
    return UnavailableError(f"expected {expected} from the archive, got {quoted}", code="wayback_undocumented")
