"""What hosts say of an image's rights beside the image: robots.txt, tdmrep.json, and the page that shows it where asked for.

Rules, in order:

1. Every hop's URL is judged by the files of its own origin: the host that was asked and the host that served may both speak.
2. A file that is not there says nothing. One that cannot be had is unknown, with the error's code: messages quote what hosts
   chose, and the log forgets nothing.
3. What robots.txt forbids us to fetch is not fetched, tdmrep.json and pages among it.
4. A page is read when asked for only, and only if it is HTML. It speaks by its meta elements.
5. Files and pages are fetched once and kept for a day; of what is kept, count and size are bounded.

Source: RFC 9309; TDM Reservation Protocol, "TDM File on the Origin Server".
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.ingest.signals.read import read_http_signals, read_page_signals
from services.ingest.signals.signal import Signal, bounded
from shared.canonical import canonical_json, sha256_hex
from shared.clock import utc_now
from shared.errors import SleeveError
from shared.fetching.addresses import parse_target
from shared.fetching.answer_cache import AnswerCache
from shared.fetching.connection import Exchange
from shared.fetching.fetcher import Fetched, Fetcher
from shared.fetching.origin_files import KEPT_SECONDS, OriginFile, OriginFiles
from shared.fetching.robots import RobotsCache, product_name

TDMREP_PATH = "/.well-known/tdmrep.json"
# Columns that name the page which shows the image; a list's further URL columns are kept under `listed_`.
PAGE_COLUMNS = ("page_url", "listed_source_url", "listed_original_url")
# RFC 9110 sections 15.5.5 and 15.5.11. Unlike for robots.txt, no rule takes other statuses for "no such file".
_ABSENT = frozenset({404, 410})
_HTML = frozenset({"text/html", "application/xhtml+xml"})
# Our own bounds: rows that share a page stand close together in a list; signals of a page are some hundred bytes.
MAX_PAGES = 5_000
MAX_PAGES_BYTES = 16 * 2**20
# A page's host may be another than the image's, whose turn it is: pages are taken two at a time from hosts that share a slot.
_SLOTS = 64
_PER_SLOT = 2


class Statements:
    """Reads what hosts say; may be used by many threads at once.

    Args:
        fetcher: fetches files and pages; its User-Agent says whom statements address.
        read_pages: whether pages that rows name are read too.
    """

    def __init__(self, fetcher: Fetcher, *, read_pages: bool = False) -> None:
        self._fetcher = fetcher
        self._read_pages = read_pages
        self._product = product_name(fetcher.user_agent)
        self._robots = RobotsCache(fetcher)
        self._tdmrep = OriginFiles(fetcher, TDMREP_PATH, _ABSENT.__contains__, self._robots.verify_allowed)
        self._pages: AnswerCache[tuple[Signal, ...]] = AnswerCache(
            self._load_page, _size_bytes, kept_seconds=KEPT_SECONDS, max_answers=MAX_PAGES, max_bytes=MAX_PAGES_BYTES
        )
        self._slots = [threading.BoundedSemaphore(_PER_SLOT) for _ in range(_SLOTS)]

    def verify_allowed(self, url: str) -> None:
        """Check that robots.txt lets us fetch a URL.

        Raises:
            InputError: code `robots_disallowed` or `url_refused`.
            UnavailableError: code `robots_unreachable`.
        """
        self._robots.verify_allowed(url)

    def read(self, fetched: Fetched, page_url: str | None = None) -> tuple[Signal, ...]:
        """Read what was said of an image that was fetched.

        Args:
            fetched: the image's fetch.
            page_url: of the page that shows it, where its row names one.

        Returns:
            What was found, the same statement once; empty where nobody speaks of training. Each detail has where it was
            read from.
        """
        answer = fetched.answer
        signals = read_http_signals(fetched.url, answer.headers, None, None, self._product, observed_at=answer.started_at)
        for hop in fetched.exchanges:
            signals += self._of_origin(hop)
        if self._read_pages and page_url is not None and page_url != fetched.url:
            signals += self._pages.get(page_url)
        return _distinct(signals)

    def _of_origin(self, hop: Exchange) -> list[Signal]:
        target = hop.request.target
        robots, tdmrep = self._robots.load(target.url), self._tdmrep.load(target)
        return [
            *_in_file("robots-txt", robots, self._judge(target.url, robots.body, None, robots.fetched_at)),
            *_in_file("tdmrep-file", tdmrep, self._judge(target.url, None, tdmrep.body, tdmrep.fetched_at)),
        ]

    def _judge(self, url: str, robots: bytes | None, tdmrep: bytes | None, observed_at: datetime) -> list[Signal]:
        return read_http_signals(url, (), robots, tdmrep, self._product, observed_at=observed_at)

    def _load_page(self, url: str) -> tuple[Signal, ...]:
        started_at = utc_now()
        try:
            with self._slots[hash(parse_target(url, self._fetcher.policy).host) % _SLOTS]:
                page = self._fetcher.fetch(url, headers={"Accept": "text/html"}, check=self.verify_allowed)
            page.verify_ok()
        except SleeveError as error:
            return (_unknown("robots-meta", sha256_hex(b""), error, url, started_at),)
        if (page.answer.header("content-type") or "").partition(";")[0].strip().lower() not in _HTML:
            return ()
        return tuple(_read_from(url, signal) for signal in read_page_signals(page.body, self._product, observed_at=started_at))


def find_page(columns: Mapping[str, Any], url: str) -> str | None:
    """Return the URL of the page that shows an image, where its row names one.

    Args:
        columns: the row's, as `url_list.split_url` gives them.
        url: of the image.

    >>> find_page({"Page_URL": "https://example.org/works/1"}, "https://example.org/1.png")
    'https://example.org/works/1'
    """
    by_name = {name.lower(): value for name, value in columns.items()}
    pages = (by_name.get(name) for name in PAGE_COLUMNS)
    return next((page.strip() for page in pages if isinstance(page, str) and page.strip() not in {"", url}), None)


def _in_file(kind: str, file: OriginFile, signals: Iterable[Signal]) -> list[Signal]:
    if file.trouble is not None:
        return [_unknown(kind, file.sha256, file.trouble, file.url, file.fetched_at)]
    return [replace(_read_from(file.url, signal), raw_sha256=file.sha256) for signal in signals]


def _unknown(kind: str, raw_sha256: str, error: SleeveError, url: str, observed_at: datetime) -> Signal:
    return Signal(kind, "unknown", raw_sha256, bounded({"error": error.code, "read_from": url}), observed_at)


def _read_from(url: str, signal: Signal) -> Signal:
    return replace(signal, detail=bounded({**signal.detail, "read_from": url}))


def _distinct(signals: Sequence[Signal]) -> tuple[Signal, ...]:
    return tuple({(signal.kind, signal.raw_sha256, canonical_json(signal.detail)): signal for signal in signals}.values())


def _size_bytes(signals: Sequence[Signal]) -> int:
    return sum(len(canonical_json(signal.detail)) for signal in signals)
