"""Idempotency keys on record: what each was bound to. `shared.idempotency` runs acts by them.

Rules, in order:

1. A key is bound, in the transaction that makes the effect, to the request's digest and to the id of what was made.
2. While one request works on a key, another with the same key waits. SQLite's writers queue anyway; PostgreSQL's wait for a
   lock that ends with the transaction.
3. The same key with the same request gives what was made the first time. With another request it is a conflict.
4. A key belongs to its sender. Another caller's equal key is another key, and tells nothing of what the first one made.
"""

from datetime import datetime

from sqlalchemy import DateTime, func, select
from sqlmodel import Field, Session, SQLModel

from shared.auth.caller import current_caller
from shared.clock import utc_now
from shared.errors import ConflictError


class IdempotencyKey(SQLModel, table=True):
    """What a key of an operation stands for."""

    __tablename__ = "idempotency_key"

    operation: str = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=255)
    # Id of the API key that the request showed; empty where none is asked for.
    caller: str = Field(default="", primary_key=True, max_length=32)
    request_sha256: str = Field(max_length=64)
    resource_id: str = Field(max_length=36)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


def find_effect(session: Session, operation: str, key: str | None, request_sha256: str) -> str | None:
    """Return the id of what this key made before, or None for a new key or no key.

    Raises:
        ConflictError: the key was used for another request.
    """
    if key is None:
        return None
    caller = current_caller().key_id
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"{operation}\n{caller}\n{key}", 0))))
    row = session.get(IdempotencyKey, (operation, key, caller))
    if row is None:
        return None
    if row.request_sha256 != request_sha256:
        raise ConflictError(f"Idempotency-Key {key!r} was used for another request", code="idempotency_key_reused")
    return row.resource_id


def bind_effect(session: Session, operation: str, key: str | None, request_sha256: str, resource_id: str) -> None:
    """Bind a key to what it made, in the caller's transaction; a second binder fails on the primary key."""
    if key is not None:
        caller = current_caller().key_id
        session.add(
            IdempotencyKey(operation=operation, key=key, caller=caller, request_sha256=request_sha256, resource_id=resource_id)
        )
        session.flush()
