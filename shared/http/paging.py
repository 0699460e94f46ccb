"""Pages of long lists: opaque cursors, so that what stands in them can change."""

import base64
import binascii
from typing import Generic, TypeVar

from pydantic import BaseModel

from shared.errors import InputError

Row = TypeVar("Row")


class Page(BaseModel, Generic[Row]):
    """One page, and the cursor of the next; none on the last."""

    items: list[Row]
    next_cursor: str | None


def encode_cursor(position: str) -> str:
    """Turn a position into a cursor.

    >>> decode_cursor(encode_cursor("b/7"))
    'b/7'
    """
    return base64.urlsafe_b64encode(position.encode()).decode("ascii").rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Turn a cursor back into a position.

    Raises:
        InputError: it is none of ours.
    """
    try:
        position = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InputError(f"cursor cannot be read: {cursor!r}", code="cursor_invalid") from error
    if "\0" in position:  # PostgreSQL has no text with one (manual, section 8.3)
        raise InputError(f"cursor cannot be read: {cursor!r}", code="cursor_invalid")
    return position
