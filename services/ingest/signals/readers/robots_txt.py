"""robots.txt: whether the crawler may fetch the URL, and the lines in it that other statements need.

Rules, in order:

1. A URL that the file forbids to the crawler denies.
2. A URL that it does not forbid is no statement: leave to fetch is not leave to train.
3. A file that is too long or too tangled to judge is unknown. Nothing after the limit is read.
4. A line of another statement belongs to the group of the crawler, by the same choice of group.

Source: RFC 9309 sections 2.2 (syntax, groups, rules) and 2.5 (limits). Its section 1 states that the rules are no
authorisation.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from protego import Protego

from services.ingest.signals.signal import Signal, SignalReading, read_or_unknown
from services.ingest.signals.signal_reader import SignalReader
from shared.errors import InputError

# RFC 9309 section 2.5: a parser must take at least this much.
MAX_FILE_BYTES = 500 * 1024
# Our own bound. Each rule is kept once for each crawler of its group, so lines times crawlers is what a file costs; large
# sites name some 100 crawlers and state some 1,000 rules.
MAX_COST = 1_000_000
# Images of one host come together: its file is read once for many of them. What it is read to takes some ten times its bytes.
_KEPT_FILES = 32

_CRAWLER_FIELDS = frozenset({"user-agent", "useragent", "user agent"})
_RULE_FIELDS = frozenset({"allow", "disallow", "content-usage", "content-signal", "crawl-delay"})
_LINE_END = re.compile(r"\r\n|\r|\n")


def read_robots_txt(robots_txt: bytes, url: str, user_agent: str) -> Signal | None:
    """Read what robots.txt says about fetching one URL.

    Args:
        robots_txt: the file as received.
        url: where the image was acquired.
        user_agent: the crawler's name, as it stands in its `User-Agent` header.

    Returns:
        The signal: deny where the file forbids it; None where it does not.
    """
    return read_or_unknown("robots-txt", robots_txt, lambda: _find(robots_txt, url, user_agent))


def _find(robots_txt: bytes, url: str, user_agent: str) -> SignalReading | None:
    if _parse(decode_robots_txt(robots_txt)).can_fetch(url, user_agent):
        return None
    return SignalReading("deny", {"user_agent": user_agent, "url": url, "rule": "disallow"})


@lru_cache(maxsize=_KEPT_FILES)
def _parse(text: str) -> Protego:
    return Protego.parse(text)


@lru_cache(maxsize=_KEPT_FILES)
def decode_robots_txt(robots_txt: bytes) -> str:
    """Return the file's text.

    Raises:
        InputError: it is longer, or names more crawlers for its length, than is read.
    """
    if len(robots_txt) > MAX_FILE_BYTES:
        raise InputError(f"robots.txt too long: expected at most {MAX_FILE_BYTES:,} bytes, got {len(robots_txt):,}")
    text = robots_txt.decode("utf-8-sig", "replace")
    lines = text.splitlines()
    crawlers = sum(line.lstrip().lower().startswith("user") for line in lines)
    if crawlers * len(lines) > MAX_COST:
        raise InputError(f"robots.txt too tangled: {crawlers:,} crawlers in {len(lines):,} lines, product above {MAX_COST:,}")
    return text


def fields_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a robots.txt: name in lower case, and value, comments left out.

    >>> list(fields_of("User-Agent: * # all\\nLicense: https://example.org/l.xml"))
    [('user-agent', '*'), ('license', 'https://example.org/l.xml')]
    """
    for line in _LINE_END.split(text):
        name, colon, value = line.partition("#")[0].partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


@lru_cache(maxsize=2 * _KEPT_FILES)  # two fields of a file
def find_group_lines(text: str, field: str, user_agent: str) -> tuple[str, ...]:
    """Return the values of one field in the groups that apply to a crawler.

    Args:
        text: the decoded file.
        field: the field's name in lower case.
        user_agent: the crawler's name or whole `User-Agent`.

    Returns:
        The values in the groups that name the crawler most specifically, else in those of all crawlers (`*`).
    """
    groups: dict[str, list[str]] = {}
    crawlers: list[str] = []
    naming = False
    for name, value in fields_of(text):
        if name in _CRAWLER_FIELDS:
            crawlers = [*crawlers, value.lower()] if naming else [value.lower()]
            groups.setdefault(value.lower(), [])
            naming = True
        elif name in _RULE_FIELDS:
            naming = False
            if name == field:
                for crawler in crawlers:
                    groups[crawler].append(value)
    return tuple(groups.get(_choose_crawler(groups, user_agent), ()))


def _choose_crawler(groups: dict[str, list[str]], user_agent: str) -> str:
    crawlers = [crawler for crawler in groups if crawler not in {"", "*"} and is_addressed(crawler, user_agent)]
    return max(crawlers, key=len, default="*")


def is_addressed(crawler: str, user_agent: str) -> bool:
    """Say whether a name in a file or header means the crawler with this `User-Agent`.

    >>> is_addressed("SleeveBot", "Mozilla/5.0 (compatible; sleevebot/1.0)"), is_addressed("bot", "sleevebot/1.0")
    (True, False)
    """
    return re.search(rf"(?<![\w-]){re.escape(crawler)}(?![\w-])", user_agent, re.IGNORECASE) is not None


READERS = (
    SignalReader(
        "robots-txt",
        "robots.txt",
        lambda file: read_robots_txt(file.raw, file.url, file.user_agent),
        position=70,
        needs_url=True,
    ),
)
