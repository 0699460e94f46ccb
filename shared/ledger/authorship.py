"""Who an entry is made for: the key that a request showed, or the operator of this machine.

Rules, in order:

1. The author holds for everything that a request runs, as a context variable does. A thread or process that works for a
   request is given it.
2. Where no author is set, it is the operator: whoever runs a command on this machine, or the server by itself.
3. An entry commits to its author under the name `by`. Which key it was stands in the records only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any

# The name of the commitment.
BY = "by"


@dataclass(frozen=True)
class Author:
    """Who an entry is made for.

    Args:
        key: id of the key; None without one.
        role: `operator`, `key`, `party` for a key that speaks for a party, or `anyone` for a request without a key.
    """

    key: str | None
    role: str

    @property
    def name(self) -> str:
        """What the author is looked up by: the key's id, or else the role."""
        return self.key or self.role

    def describe(self) -> dict[str, Any]:
        """Return what an entry commits to, as a JSON value."""
        return asdict(self)


OPERATOR = Author(None, "operator")
ANYONE = Author(None, "anyone")

_current: ContextVar[Author] = ContextVar("author", default=OPERATOR)


def current_author() -> Author:
    """Return whom the entries that are made now are made for."""
    return _current.get()


@contextmanager
def writing_for(author: Author) -> Iterator[None]:
    """Set the author until the block ends.

    >>> with writing_for(Author("k1", "key")):
    ...     current_author().name
    'k1'
    """
    before = _current.set(author)
    try:
        yield
    finally:
        _current.reset(before)
