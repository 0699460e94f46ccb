"""The directives `noai`, `noimageai` and `noml`, in the header `X-Robots-Tag` and in a page's meta elements.

Rules, in order:

1. Any of them, said to all crawlers or to the one that acquired, denies.
2. Said to other crawlers only, it is unknown: a reservation, but none addressed here.
3. Every other directive speaks of search and is no statement.
4. A page may have the words among its `keywords` as well, which address everybody.

Source: the directives, DeviantArt, "UPDATE All Deviations Are Opted Out of AI Datasets" (November 2022), a convention
without a standard; `noml`, https://noml.info. The header's syntax with names of crawlers, Google Search Central, "Robots meta
tag, data-nosnippet, and X-Robots-Tag specifications".
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from services.ingest.signals.html_meta import find_meta
from services.ingest.signals.readers.noai_keywords import DENYING_WORDS, denying_words, fold_keyword
from services.ingest.signals.readers.robots_txt import is_addressed
from services.ingest.signals.signal import Signal, SignalReading, read_or_unknown
from services.ingest.signals.signal_reader import SignalReader

DENYING = frozenset({"noai", "noimageai", "noml"})
HEADER = "x-robots-tag"
# Directives that have a colon of their own, so that what stands before it is no crawler.
_WITH_VALUE = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_CRAWLER = re.compile(r"[A-Za-z*][\w.*/-]*")
_KEYWORDS = "keywords"
_EVERYONE = frozenset({"", "*", "robots", _KEYWORDS})


def read_x_robots_tag(headers: Sequence[tuple[str, str]], user_agent: str) -> Signal | None:
    """Read the `X-Robots-Tag` fields of the response that carried the image.

    Args:
        headers: names and values of the response's fields, a repeated field repeated.
        user_agent: the crawler that acquired the image.

    Returns:
        The signal; None where neither directive occurs.
    """
    values = [value for name, value in headers if name.lower() == HEADER]
    directives = [pair for value in values for pair in split_directives(value)]
    return read_or_unknown("x-robots-tag", "\n".join(values).encode("utf-8", "replace"), lambda: _find(directives, user_agent))


def read_robots_meta(html: bytes, user_agent: str) -> Signal | None:
    """Read the meta elements of a page that is about or shows the image.

    Args:
        html: the page as received.
        user_agent: the crawler that acquired it.

    Returns:
        The signal; None where neither directive occurs.
    """
    return read_or_unknown("robots-meta", html, lambda: _find(_meta_directives(html), user_agent))


def _meta_directives(html: bytes) -> Iterator[tuple[str, str]]:
    for name, content in find_meta(html):
        if name == _KEYWORDS:
            yield from ((name, fold_keyword(word)) for word in denying_words(content))
            continue
        yield from ((name, directive.strip().lower()) for directive in re.split(r"[,;]", content))


def split_directives(value: str) -> list[tuple[str, str]]:
    """Split one header field into pairs of crawler (empty for all) and directive.

    >>> split_directives("noarchive, otherbot: noindex, NoAI")
    [('', 'noarchive'), ('otherbot', 'noindex'), ('otherbot', 'noai')]
    """
    crawler = ""
    pairs = []
    for part in value.split(","):
        name, colon, rest = part.strip().partition(":")
        if colon and name.lower() not in _WITH_VALUE and _CRAWLER.fullmatch(name.strip()):
            crawler, part = name.strip().lower(), rest  # noqa: PLW2901 - the rest of this part is its directive
        pairs.append((crawler, part.strip().lower()))
    return pairs


def _find(pairs: Iterable[tuple[str, str]], user_agent: str) -> SignalReading | None:
    pairs = list(pairs)
    denials = [pair for pair in pairs if pair[1] in DENYING or (pair[0] == _KEYWORDS and pair[1] in DENYING_WORDS)]
    if not denials:
        return None
    addressed = any(crawler in _EVERYONE or is_addressed(crawler, user_agent) for crawler, _ in denials)
    directives = [f"{crawler}: {directive}" if crawler else directive for crawler, directive in denials]
    return SignalReading("deny" if addressed else "unknown", {"directives": directives, "addressed": addressed})


READERS = (
    SignalReader("x-robots-tag", "headers", lambda answer: read_x_robots_tag(answer.headers, answer.user_agent), position=40),
    SignalReader("robots-meta", "page", lambda page: read_robots_meta(page.raw, page.user_agent), position=120),
)
