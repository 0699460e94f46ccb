"""Path patterns as robots.txt and tdmrep.json use them: a prefix, `*` for anything, `$` for the end.

Rules, in order:

1. Pattern and path are brought to one spelling first: unreserved characters unescaped, everything outside ASCII escaped.
2. A pattern matches where the path begins with it; a path's query belongs to it.
3. Matching takes time linear in the path for each part of the pattern, whatever the pattern.

Source: RFC 9309 sections 2.2.2 and 2.2.3; RFC 3986 sections 2.3 and 6.2.2.
"""

import re
from urllib.parse import quote, urlsplit

# RFC 3986 section 2.3.
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
# All of ASCII that `quote` is to leave alone: what is escaped already, the reserved characters, and the pattern's own.
_KEPT = "".join(map(chr, range(0x21, 0x7F)))


def path_of(url: str) -> str:
    """Return the part of a URL that patterns speak of, in its normal spelling.

    Raises:
        ValueError: the URL cannot be split.

    >>> path_of("https://example.org/%7Eada/é.png?size=2#top")
    '/~ada/%C3%A9.png?size=2'
    """
    parts = urlsplit(url)
    return normal_path((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def normal_path(path: str) -> str:
    """Return a path or pattern in its normal spelling.

    >>> normal_path("/%61%2f b")
    '/a%2F%20b'
    """
    return _ESCAPE.sub(_unescape, quote(path, safe=_KEPT, errors="replace"))


def _unescape(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def is_match(pattern: str, path: str) -> bool:
    """Say whether a pattern covers a path that `path_of` gave.

    >>> is_match("/works/*.jpg", "/works/a/b.jpg?x"), is_match("/works/*.jpg$", "/works/a.jpg?x"), is_match("/a", "/b/a")
    (True, False, False)
    """
    anchored = pattern.endswith("$")
    first, *parts = normal_path(pattern.removesuffix("$")).split("*")
    if not path.startswith(first):
        return False
    if not parts:
        return not anchored or path == first
    at = len(first)
    for part in parts[:-1]:
        at = path.find(part, at)
        if at < 0:
            return False
        at += len(part)
    if anchored:
        return len(path) - len(parts[-1]) >= at and path.endswith(parts[-1])
    return path.find(parts[-1], at) >= 0
