"""Pages of long lists: the request for one, its answer, and the cursor that leads to the next.

Cursors are opaque to clients, so that their content can change.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from shared.errors import InputError

Row = TypeVar("Row")
Answer = TypeVar("Answer")


class Page(BaseModel, Generic[Row]):
    """One page, and the cursor of the next; none on the last."""

    items: list[Row]
    next_cursor: str | None


@dataclass(frozen=True)
class PageRequest:
    """Which page of a list is asked for.

    Args:
        cursor: the page before's `next_cursor`; None for the first page.
        limit: how many rows at most.
    """

    cursor: str | None = None
    limit: int = 50

    @property
    def position(self) -> str:
        """Where the page begins: behind this position; empty on the first page.

        Raises:
            InputError: the cursor is none of ours.
        """
        return decode_cursor(self.cursor) if self.cursor else ""

    @property
    def rows_to_load(self) -> int:
        """How many rows a query is to load: one more than the page shows tells whether there is another page."""
        return self.limit + 1

    def build(
        self, rows: Sequence[Row], position_of: Callable[[Row], str], build_answers: Callable[[Sequence[Row]], list[Answer]]
    ) -> Page[Answer]:
        """Build the page.

        Args:
            rows: up to `rows_to_load` rows behind `position`.
            position_of: returns the position of a row.
            build_answers: returns the answers about the rows that the page shows; it may leave some out.
        """
        page_rows = rows[: self.limit]
        next_cursor = encode_cursor(position_of(page_rows[-1])) if len(rows) > self.limit else None
        return Page(items=build_answers(page_rows), next_cursor=next_cursor)


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
