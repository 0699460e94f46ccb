"""A Robust Link: where a work is, where a snapshot of it is, of which day, with which digest, and what the last check found.

Rules, in order:

1. In HTML it is an `<a>` element: `href` and `data-originalurl` the original, `data-versionurl` the snapshot,
   `data-versiondate` the day, as the specification has them.
2. Two attributes are Sleeve's own and skipped by other readers: `data-sha256` and `data-state`.
3. Where a page states several snapshots, the first one counts. Where it states no original, the `href` is the original,
   unless the `href` is the snapshot.
4. Only http and https URLs are read or written.

Source: https://robustlinks.mementoweb.org/spec/ (29 June 2020; several snapshots: its revision of 17 March 2025).
"""

import html
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from html.parser import HTMLParser

from shared.errors import InputError

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_URL = re.compile(r"https?://\S+", re.ASCII | re.IGNORECASE)
# ISO 8601 calendar date at the start of what may be a date and time.
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class ArchivalState(StrEnum):
    """What the last check of a link found; docs/methods/archiving.md says what each proves."""

    VERIFIED = "verified"
    DRIFTED = "drifted"
    MISSING = "missing"
    UNCHECKED = "unchecked"


@dataclass(frozen=True)
class RobustLink:
    """An archival link; `sha256` is that of the bytes as acquired, None where they are not known.

    Raises:
        InputError: code `link_invalid`; a URL is not http(s), or the digest not 64 lower-case hexadecimal digits.
    """

    original_url: str
    snapshot_url: str | None = None
    version_date: date | None = None
    sha256: str | None = None
    state: ArchivalState = ArchivalState.UNCHECKED

    def __post_init__(self) -> None:
        for url in (self.original_url, self.snapshot_url):
            if url is not None and _URL.fullmatch(url) is None:
                raise InputError(f"expected an http(s) URL in an archival link, got {url!r}", code="link_invalid")
        if self.sha256 is not None and _SHA256.fullmatch(self.sha256) is None:
            raise InputError(f"expected a SHA-256 in hexadecimal, got {self.sha256!r}", code="link_invalid")


def format_robust_link(link: RobustLink, text: str) -> str:
    """Write a link as an HTML element.

    Args:
        link: what it says.
        text: what the reader sees, as plain text.

    >>> format_robust_link(RobustLink("https://example.org/a?b&c", version_date=date(2026, 1, 31)), "A & B")
    '<a href="https://example.org/a?b&amp;c" data-originalurl="https://example.org/a?b&amp;c" \
data-versiondate="2026-01-31" data-state="unchecked">A &amp; B</a>'
    """
    values = {
        "href": link.original_url,
        "data-originalurl": link.original_url,
        "data-versionurl": link.snapshot_url,
        "data-versiondate": link.version_date.isoformat() if link.version_date else None,
        "data-sha256": link.sha256,
        "data-state": link.state.value,
    }
    written = " ".join(f'{name}="{html.escape(value)}"' for name, value in values.items() if value is not None)
    return f"<a {written}>{html.escape(text)}</a>"


def parse_robust_links(page: str) -> list[RobustLink]:
    """Read the Robust Links of an HTML page or fragment, in their order; other links are skipped.

    Args:
        page: HTML; it may be broken elsewhere.

    Returns:
        Links with at least one of `data-originalurl`, `data-versionurl` and `data-versiondate`.

    Raises:
        InputError: code `link_invalid`; such a link has no usable original, or a value that cannot be read.
    """
    reader = _Anchors()
    reader.feed(page)
    reader.close()
    return [_build_link(attributes) for attributes in reader.found]


def parse_robust_link(page: str) -> RobustLink:
    """Read the one Robust Link of a fragment.

    Raises:
        InputError: code `link_invalid`; there is none, or more than one, or it cannot be read.

    >>> parse_robust_link('<a href="https://example.org/" data-versiondate="2026-01-31T12:00:00Z">A</a>').version_date
    datetime.date(2026, 1, 31)
    """
    links = parse_robust_links(page)
    if len(links) != 1:
        raise InputError(f"expected one Robust Link, got {len(links)}", code="link_invalid")
    return links[0]


class _Anchors(HTMLParser):
    """Collects the attributes of the anchors that are Robust Links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value.strip() for name, value in attrs if value}
        if tag == "a" and attributes.keys() & {"data-originalurl", "data-versionurl", "data-versiondate"}:
            self.found.append(attributes)


def _build_link(attributes: dict[str, str]) -> RobustLink:
    snapshot = _first_url(attributes.get("data-versionurl"))
    href = attributes.get("href")
    original = attributes.get("data-originalurl") or (href if href != snapshot else None)
    if original is None:
        raise InputError("expected the original's URL in a Robust Link, got none", code="link_invalid")
    state = attributes.get("data-state", ArchivalState.UNCHECKED.value)
    if state not in set(ArchivalState):
        raise InputError(f"expected one of {', '.join(ArchivalState)} as state, got {state!r}", code="link_invalid")
    day = _parse_day(attributes.get("data-versiondate"))
    return RobustLink(original, snapshot, day, attributes.get("data-sha256"), ArchivalState(state))


def _first_url(value: str | None) -> str | None:
    return value.split()[0] if value else None


def _parse_day(value: str | None) -> date | None:
    if value is None:
        return None
    day = _DAY.match(value)
    try:
        if day is not None:
            return date.fromisoformat(day.group())
    except ValueError:
        pass
    raise InputError(f"expected a date such as 2026-01-31, got {value!r}", code="link_invalid")
