"""robots.txt: whether a host lets this crawler fetch a URL.

Rules, in order:

1. A host's file is fetched once a day, for each scheme, host and port.
2. No such file (a status of 400 to 499) allows everything. A file that cannot be fetched forbids everything for as long as
   that is remembered, with a code of its own.
3. Only the first 500 KiB of a file count.
4. The crawler is addressed by the part of its User-Agent before the slash.

Source: RFC 9309 sections 2.2 to 2.5; 429 is taken as "cannot be fetched", since the server asks for fewer requests.
"""

from functools import lru_cache

from protego import Protego

from shared.errors import InputError, SleeveError, UnavailableError
from shared.fetching.addresses import parse_target, refuse_url
from shared.fetching.fetcher import Fetcher
from shared.fetching.origin_files import MAX_FILE_BYTES, OriginFile, OriginFiles

_PATH = "/robots.txt"
# Our own bound: rules of hosts whose URLs are asked for by turns. Parsed they take some ten times the file's bytes.
_PARSED_FILES = 64


def product_name(user_agent: str) -> str:
    """Return the name by which robots.txt files address a crawler (RFC 9309 section 2.2.1).

    >>> product_name("SleeveBot/0.1 (registers images)")
    'SleeveBot'
    """
    return user_agent.partition("/")[0].strip()


class RobotsCache:
    """Answers from the robots.txt of many hosts; may be used by many threads at once.

    Args:
        fetcher: fetches the files; its User-Agent says which rules apply.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self._product = product_name(fetcher.user_agent)
        self._files = OriginFiles(fetcher, _PATH, lambda status: status // 100 == 4)

    def load(self, url: str) -> OriginFile:
        """Return the file that speaks for a URL, as it was had.

        Raises:
            InputError: code `url_refused`; the URL may not be fetched at all.
        """
        return self._files.load(parse_target(url, self._fetcher.policy))

    def verify_allowed(self, url: str) -> None:
        """Check that a URL may be crawled.

        Raises:
            InputError: code `robots_disallowed`, or `url_refused` for a URL that may not be fetched at all.
            UnavailableError: code `robots_unreachable`; whether it may could not be found out.
        """
        target = parse_target(url, self._fetcher.policy)
        file = self._files.load(target)
        if file.trouble is not None:
            _raise_trouble(file.url, file.trouble)
        if file.body is not None and not _parse(file.body).can_fetch(target.url, self._product):
            raise InputError(f"{file.url} disallows {target.url} for {self._product}", code="robots_disallowed")


@lru_cache(maxsize=_PARSED_FILES)
def _parse(robots_txt: bytes) -> Protego:
    return Protego.parse(robots_txt[:MAX_FILE_BYTES].decode("utf-8-sig", errors="replace"))


def _raise_trouble(url: str, trouble: SleeveError) -> None:
    if trouble.code == "url_refused":
        # The host, or where it sends us for its file, may not be reached at all: trying later would not help.
        raise refuse_url(f"{url}: {trouble.message}")
    raise UnavailableError(f"{url}: {trouble.message}", code="robots_unreachable")
