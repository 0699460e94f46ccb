"""The meta elements of a page's head, found without a parser of whole pages.

Rules, in order:

1. Only the first part of a page is looked at, in time linear in its length, whatever it holds.
2. What stands in a comment says nothing.
3. The value of an element counts with its character references resolved, its name in lower case.

Source: HTML Living Standard, sections 4.2.5 (meta) and 13.1.2 (attributes).
"""

import html as html_entities
import re

# Our own bound: a head is rarely longer; the standard asks for the encoding within the first 1024 bytes.
MAX_HEAD_BYTES = 256 * 1024
# Bounded repetition keeps a search without match linear: each start looks at most this far.
_META = re.compile(r"<meta[\s/]([^<>]{1,4000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([A-Za-z:-]{1,40})\s{0,8}=\s{0,8}(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")


def find_meta(page: bytes) -> list[tuple[str, str]]:
    """Return name and content of a page's meta elements, in their order.

    Args:
        page: the page as received.

    >>> find_meta(b'<head><META name="Robots" content="noai, noindex"><!-- <meta name=x content=y> --></head>')
    [('robots', 'noai, noindex')]
    """
    elements = []
    for element in _META.finditer(_without_comments(page[:MAX_HEAD_BYTES].decode("utf-8", "replace"))):
        attributes: dict[str, str] = {}
        for name, *quoted in _ATTRIBUTE.findall(element[1]):
            # The first of equal attributes counts.
            attributes.setdefault(name.lower(), html_entities.unescape("".join(quoted)).strip())
        if "name" in attributes and "content" in attributes:
            elements.append((attributes["name"].lower(), attributes["content"]))
    return elements


def _without_comments(text: str) -> str:
    parts = []
    position = 0
    while (start := text.find("<!--", position)) >= 0:
        parts.append(text[position:start])
        end = text.find("-->", start)
        if end < 0:
            return "".join(parts)
        position = end + len("-->")
    return "".join([*parts, text[position:]])
