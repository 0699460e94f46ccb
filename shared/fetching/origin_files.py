"""Files that speak for a whole origin: robots.txt, and those under /.well-known.

Rules, in order:

1. An origin's file is fetched once a day, for each scheme, host and port.
2. The first 500 KiB of a file are kept (and one byte more where there is more), with the SHA-256 of the whole.
3. A file that cannot be fetched is remembered as such, with the reason, so nobody takes it for a file that is not there.

Source: RFC 9309 sections 2.4 (a day) and 2.5 (500 KiB), taken for every file of this kind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.canonical import sha256_hex
from shared.clock import utc_now
from shared.errors import SleeveError
from shared.fetching.addresses import Target
from shared.fetching.answer_cache import AnswerCache
from shared.fetching.fetcher import Fetched, Fetcher

# RFC 9309 section 2.4.
KEPT_SECONDS = 24 * 3600
# RFC 9309 section 2.5: the least that a crawler has to read.
MAX_FILE_BYTES = 500 * 2**10
# Our own bounds: usual files have some kilobytes, so the second one is met first by hosts that send huge ones.
MAX_ORIGINS = 10_000
MAX_KEPT_BYTES = 64 * 2**20


@dataclass(frozen=True)
class OriginFile:
    """What an origin answered for one of its files.

    Args:
        url: of the file.
        body: the file, cut; None where there is none, or it could not be had.
        sha256: of the whole file or, where an error brought bytes, of those; of nothing where nothing came.
        trouble: why it could not be had.
        fetched_at: when.
    """

    url: str
    body: bytes | None
    sha256: str
    trouble: SleeveError | None
    fetched_at: datetime


class OriginFiles:
    """One file of many origins; may be used by many threads at once.

    Args:
        fetcher: fetches the files.
        path: of the file at each origin.
        is_absent: whether a status says that there is no such file.
        check: called with each hop's URL before it is fetched; what it raises is trouble.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        path: str,
        is_absent: Callable[[int], bool],
        check: Callable[[str], None] = lambda _url: None,
    ) -> None:
        self._fetcher = fetcher
        self._path = path
        self._is_absent = is_absent
        self._check = check
        self._files = AnswerCache(
            self._load, _size_bytes, kept_seconds=KEPT_SECONDS, max_answers=MAX_ORIGINS, max_bytes=MAX_KEPT_BYTES
        )

    def load(self, target: Target) -> OriginFile:
        """Return the file of a URL's origin; trouble is a result and no error."""
        return self._files.get(target.origin + self._path)

    def _load(self, url: str) -> OriginFile:
        started_at = utc_now()
        try:
            fetched = self._fetcher.fetch(url, check=self._check)
        except SleeveError as error:
            return OriginFile(url, None, sha256_hex(b""), _plain(error), started_at)
        return self._judge(url, fetched, started_at)

    def _judge(self, url: str, fetched: Fetched, started_at: datetime) -> OriginFile:
        digest = sha256_hex(fetched.body)
        if self._is_absent(fetched.status):
            return OriginFile(url, None, digest, None, started_at)
        try:
            fetched.verify_ok()
        except SleeveError as error:
            return OriginFile(url, None, digest, _plain(error), started_at)
        return OriginFile(url, fetched.body[: MAX_FILE_BYTES + 1], digest, None, started_at)


def _plain(error: SleeveError) -> SleeveError:
    # Without the frames it was raised in, which would be kept with it.
    return type(error)(error.message, code=error.code)


def _size_bytes(file: OriginFile) -> int:
    return len(file.body or b"")
