"""robots.txt: whether a host lets this crawler fetch a URL.

Rules, in order:

1. A host's file is fetched once and kept for a day, for each scheme, host and port.
2. No such file (a status of 400 to 499) allows everything; a file that cannot be had forbids everything for as long as it is
   kept, and says so with its own code.
3. Of a file no more than its first 500 KiB count.
4. The crawler is addressed by the part of its User-Agent before the slash.

Source: RFC 9309 sections 2.2 to 2.5; 429 is taken as "cannot be had", since the server asks for fewer requests.
"""

import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass

from protego import Protego

from shared.errors import InputError, SleeveError, UnavailableError
from shared.fetching.addresses import Target, parse_target, refuse_url
from shared.fetching.fetcher import Fetched, Fetcher

# RFC 9309 section 2.4.
KEPT_SECONDS = 24 * 3600
# RFC 9309 section 2.5: the least that a crawler has to read.
MAX_PARSED_BYTES = 500 * 2**10
# Some kilobytes a host: the cache stays below 100 MB for usual files.
MAX_HOSTS = 10_000

_PATH = "/robots.txt"
_ALLOW_ALL = ""


@dataclass(frozen=True)
class _Rules:
    """What a host's file says, or why it could not be had."""

    parsed: Protego | None
    trouble: SleeveError | None
    fetched_at: float


class RobotsCache:
    """Answers from the robots.txt of many hosts; may be used by many threads at once.

    Args:
        fetcher: fetches the files; its User-Agent says which rules apply.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._product = fetcher.user_agent.partition("/")[0].strip()
        self._lock = threading.Lock()
        self._files: OrderedDict[str, Future[_Rules]] = OrderedDict()

    def verify_allowed(self, url: str) -> None:
        """Check that a URL may be crawled.

        Raises:
            InputError: code `robots_disallowed`, or `url_refused` for a URL that may not be fetched at all.
            UnavailableError: code `robots_unreachable`; whether it may could not be found out.
        """
        target = parse_target(url, self._fetcher.policy)
        rules = self._rules(target)
        if rules.trouble is not None:
            _raise_trouble(f"{target.origin}{_PATH}", rules.trouble)
        if rules.parsed is not None and not rules.parsed.can_fetch(target.url, self._product):
            raise InputError(f"{target.origin}{_PATH} disallows {target.url} for {self._product}", code="robots_disallowed")

    def _rules(self, target: Target) -> _Rules:
        with self._lock:
            known = self._files.get(target.origin)
            if known is None or _is_stale(known):
                mine: Future[_Rules] = Future()
                self._files[target.origin] = mine
                known = None
            self._files.move_to_end(target.origin)
            while len(self._files) > MAX_HOSTS:
                self._files.popitem(last=False)
        if known is not None:
            return known.result()
        try:
            mine.set_result(self._load(target))
        except BaseException as error:
            mine.set_exception(error)
            raise
        return mine.result()

    def _load(self, target: Target) -> _Rules:
        try:
            text = _read_rules(self._fetcher.fetch(target.origin + _PATH))
        except SleeveError as error:
            return _Rules(None, type(error)(error.message, code=error.code), time.monotonic())
        return _Rules(Protego.parse(text), None, time.monotonic())


def _raise_trouble(url: str, trouble: SleeveError) -> None:
    if trouble.code == "url_refused":
        # The host, or where it sends us for its file, may not be reached at all: trying later would not help.
        raise refuse_url(f"{url}: {trouble.message}")
    raise UnavailableError(f"{url}: {trouble.message}", code="robots_unreachable")


def _read_rules(fetched: Fetched) -> str:
    if fetched.status // 100 == 4:
        return _ALLOW_ALL
    fetched.verify_ok()
    return fetched.body[:MAX_PARSED_BYTES].decode("utf-8-sig", errors="replace")


def _is_stale(known: "Future[_Rules]") -> bool:
    return known.done() and (known.exception() is not None or time.monotonic() - known.result().fetched_at > KEPT_SECONDS)
