"""The caller of a request, known to everything that the request runs.

Rules, in order:

1. The caller is set before anything of a request is read. It holds in the threads that the request is handed to.
2. Where no caller is set, it is the operator: whoever runs a command on this machine, or uses a server that only this machine
   reaches and that needs no keys. The operator holds every scope and speaks for no party.
3. Who shows no key is `ANYONE`: no scope, no party.
4. What a caller has the log say is said for that caller (`shared.ledger.authorship`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from shared.auth.scopes import SCOPES, Scope
from shared.errors import ForbiddenError
from shared.ledger import authorship
from shared.ledger.authorship import Author


@dataclass(frozen=True)
class Caller:
    """The caller of a request.

    Args:
        key_id: of the key shown; empty without one.
        scopes: what the caller may do, with everything included.
        party_id: for whom the caller speaks.
    """

    key_id: str
    scopes: frozenset[Scope]
    party_id: str | None = None

    def holds(self, scope: Scope) -> bool:
        """Say whether the caller has a scope."""
        return scope in self.scopes

    @property
    def author(self) -> Author:
        """Whom the log names for what the caller does."""
        if self.key_id:
            return author_of_key(self.key_id, self.party_id)
        return authorship.OPERATOR if self is OPERATOR else authorship.ANYONE

    def require_party(self) -> str:
        """Return the party that the caller speaks for.

        Raises:
            ForbiddenError: there is none.
        """
        if self.party_id is None:
            raise ForbiddenError("expected a key that speaks for a party", code="party_missing")
        return self.party_id


def author_of_key(key_id: str, party_id: str | None) -> Author:
    """Return whom the log names for what is done with a key."""
    return Author(key_id, "key" if party_id is None else "party")


OPERATOR = Caller("", frozenset(SCOPES))
ANYONE = Caller("", frozenset())

_current: ContextVar[Caller] = ContextVar("caller", default=OPERATOR)


def current_caller() -> Caller:
    """Return the caller of the present request."""
    return _current.get()


@contextmanager
def acting_as(caller: Caller) -> Iterator[None]:
    """Set the caller until the block ends.

    >>> with acting_as(ANYONE):
    ...     current_caller().holds("items:read")
    False
    """
    before = _current.set(caller)
    try:
        with authorship.writing_for(caller.author):
            yield
    finally:
        _current.reset(before)
