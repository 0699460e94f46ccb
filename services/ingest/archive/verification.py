"""Checks an archival link: fetches the original, and the snapshot where there is one, and compares digests.

Rules, in order:

1. A place is *verified* when it serves, with status 200, bytes of the expected SHA-256; *drifted* when it serves others;
   *missing* when it says 404 or 410; *unchecked*, with the reason, whatever else happens: nothing was learnt.
2. A link is verified when any of its places is: the work can be had as it was acquired. Otherwise it is unchecked when any
   place is, since that one might still serve it; otherwise drifted when any place is; otherwise missing.
3. A snapshot of the Wayback Machine is fetched in the form that leaves the bytes alone.
4. Nothing is stored here, and an unchecked result is no reason to forget an earlier one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from services.ingest.archive.robust_link import ArchivalState, RobustLink
from services.ingest.archive.wayback import raw_snapshot_url
from shared.canonical import sha256_hex
from shared.clock import utc_now
from shared.errors import NotFoundError, SleeveError, UnavailableError
from shared.fetching.fetcher import Fetched, Fetcher

# What the places of a link say together: the first of these that any of them says.
_ORDER = (ArchivalState.VERIFIED, ArchivalState.UNCHECKED, ArchivalState.DRIFTED, ArchivalState.MISSING)


@dataclass(frozen=True)
class PlaceCheck:
    """What one URL served: its state, the digest of its bytes where it served any, the reason where nothing was learnt.

    `code` is the reason's stable identifier.
    """

    url: str
    state: ArchivalState
    checked_at: datetime
    sha256: str | None = None
    reason: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class LinkCheck:
    """What a link's places served, and what it amounts to."""

    original: PlaceCheck
    snapshot: PlaceCheck | None

    @property
    def places(self) -> tuple[PlaceCheck, ...]:
        """The places that were looked at."""
        return (self.original,) if self.snapshot is None else (self.original, self.snapshot)

    @property
    def state(self) -> ArchivalState:
        """The link's state."""
        return combine_states(place.state for place in self.places)

    @property
    def reason(self) -> str | None:
        """Why nothing was learnt, where nothing was."""
        reasons = [f"{place.url}: {place.reason}" for place in self.places if place.reason is not None]
        return "; ".join(reasons) if reasons and self.state is ArchivalState.UNCHECKED else None


def _keep_nothing(_fetched: Fetched) -> None:
    pass


def check_archival_link(
    fetcher: Fetcher, link: RobustLink, expected_sha256: str, keep: Callable[[Fetched], None] = _keep_nothing
) -> LinkCheck:
    """Fetch the places of a link and compare what they serve.

    Args:
        fetcher: its caps hold for each place.
        link: where to look; its own digest and state are not used.
        expected_sha256: of the bytes as acquired, 64 hexadecimal digits.
        keep: given what the original answered, with whatever status, where it did answer; what it raises ends the check.

    Returns:
        What each place served; a place that cannot be reached is a result and no error.
    """
    original = check_place(fetcher, link.original_url, expected_sha256, keep)
    if link.snapshot_url is None:
        return LinkCheck(original, None)
    return LinkCheck(original, check_place(fetcher, raw_snapshot_url(link.snapshot_url), expected_sha256))


def check_place(
    fetcher: Fetcher, url: str, expected_sha256: str, keep: Callable[[Fetched], None] = _keep_nothing
) -> PlaceCheck:
    """Fetch one URL and compare the digest of what it serves; `keep` as for a link."""
    checked_at = utc_now()
    try:
        fetched = fetcher.fetch(url)
    except SleeveError as error:
        return _nothing_learnt(url, checked_at, error)
    keep(fetched)
    try:
        fetched.verify_ok()
    except NotFoundError:
        return PlaceCheck(url, ArchivalState.MISSING, checked_at)
    except UnavailableError as error:
        return _nothing_learnt(url, checked_at, error)
    got = sha256_hex(fetched.body)
    state = ArchivalState.VERIFIED if got == expected_sha256.lower() else ArchivalState.DRIFTED
    return PlaceCheck(url, state, checked_at, sha256=got)


def _nothing_learnt(url: str, checked_at: datetime, error: SleeveError) -> PlaceCheck:
    reason = f"{error.code}: {error.message}"
    return PlaceCheck(url, ArchivalState.UNCHECKED, checked_at, reason=reason, code=error.code)


def combine_states(states: Iterable[ArchivalState]) -> ArchivalState:
    """Say what the states of a link's places amount to.

    Args:
        states: at least one.

    >>> combine_states([ArchivalState.DRIFTED, ArchivalState.VERIFIED]).value
    'verified'
    >>> combine_states([ArchivalState.DRIFTED, ArchivalState.UNCHECKED]).value
    'unchecked'
    """
    return min(states, key=_ORDER.index)
