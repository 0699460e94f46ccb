"""Entity tags: what names an answer's present content, and the comparisons that conditional requests ask for.

The tag is the SHA-256 of the answer's canonical JSON. Equal answers have equal tags, whichever process gives them.

Source: RFC 9110 sections 8.8.3 (ETag), 13.1.1 (If-Match, strong comparison), 13.1.2 (If-None-Match, weak comparison).
"""

import re
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from shared.canonical import canonical_json, sha256_hex
from shared.errors import PreconditionError

# RFC 9110 section 8.8.3: an opaque tag in quotes, W/ before it where it is weak.
_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def build_etag(answer: BaseModel) -> str:
    """Build the strong entity tag of an answer.

    >>> from shared.http.paging import Page
    >>> build_etag(Page[int](items=[], next_cursor=None))[:9]
    '"ae8ea6a4'
    """
    return tag_value(answer.model_dump(mode="json"))


def tag_value(value: Any) -> str:
    """Build the tag of an answer's JSON value."""
    return f'"{sha256_hex(canonical_json(value))}"'


def is_current(if_none_match: str | None, etag: str) -> bool:
    """Say whether the client has the present answer already.

    >>> is_current('W/"a", "b"', '"a"'), is_current("*", '"a"'), is_current(None, '"a"')
    (True, True, False)
    """
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in {tag for _, tag in _TAG.findall(if_none_match)}


def verify_precondition(if_match: str | None, current: Callable[[], BaseModel]) -> None:
    """Check that what is to be changed is what the client saw.

    Args:
        if_match: the field's value; None where the client does not mind.
        current: builds the present answer; called only where the client minds.

    Raises:
        PreconditionError: the present answer has another tag.
    """
    if if_match is None or if_match.strip() == "*":
        return
    etag = build_etag(current())
    if etag not in {tag for weak, tag in _TAG.findall(if_match) if not weak}:
        raise PreconditionError(f"expected If-Match {etag}, got {if_match[:200]}")
