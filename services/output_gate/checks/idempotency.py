"""One effect: what a check is bound to, so that the same request, or the same place of a batch, is decided once.

Rules, in order:

1. `find` is asked before the work; `bind` is called in the transaction that records the check, and refuses a second one.
2. Who is refused takes the check that was recorded first for its own.
"""

from dataclasses import dataclass
from typing import Protocol

from sqlmodel import Session

from shared.errors import ConflictError
from shared.records.batches import BatchedCheck, save_outcome
from shared.records.idempotency import bind_effect, find_effect

OPERATION = "checks.create"


class AlreadyDecidedError(ConflictError):
    """Somebody else was faster; the check that was recorded is to be used."""

    code = "already_decided"


class Once(Protocol):
    """What a check is bound to."""

    def find(self, session: Session) -> str | None:
        """Return the id of the check that was made before, if one was."""
        ...

    def bind(self, session: Session, check_id: str) -> None:
        """Bind a check in the caller's transaction.

        Raises:
            AlreadyDecidedError: another check was bound before.
        """
        ...


@dataclass(frozen=True)
class OncePerKey:
    """An Idempotency-Key and the digest of its request; without a key every request is a new one."""

    key: str | None
    request_sha256: str

    def find(self, session: Session) -> str | None:
        """Return the id of the check that this key made before.

        Raises:
            ConflictError: the key was used for another request.
        """
        return find_effect(session, OPERATION, self.key, self.request_sha256)

    def bind(self, session: Session, check_id: str) -> None:
        """Bind the key to its check; a second binder fails on the primary key."""
        bind_effect(session, OPERATION, self.key, self.request_sha256, check_id)


@dataclass(frozen=True)
class OncePerPlace:
    """A place of a batch."""

    batch_id: str
    position: int

    def find(self, session: Session) -> str | None:
        """Return the id of the check that stands at this place."""
        place = session.get(BatchedCheck, (self.batch_id, self.position))
        return None if place is None else place.check_id

    def bind(self, session: Session, check_id: str) -> None:
        """Put the check at its place.

        Raises:
            AlreadyDecidedError: something stands there.
        """
        if not save_outcome(session, self.batch_id, self.position, check_id=check_id):
            raise AlreadyDecidedError(f"place {self.position} of batch {self.batch_id} has an outcome already")
