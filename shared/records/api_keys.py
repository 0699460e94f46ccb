"""API keys on record: what each may do, for whom it speaks and until when. The key itself is not stored.

Rules, in order:

1. A key is valid until it is revoked or expires. Each request looks it up, so a revocation holds at once everywhere.
2. A key is never deleted, so that what was done with it can always be told from what was done with another.
3. The last use of a key is noted once an hour: not every request writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import JSON, BigInteger, Column, Connection, DateTime, bindparam, or_, update
from sqlmodel import Field, Session, SQLModel, col, select

from shared.clock import utc_now
from shared.errors import ForbiddenError, NotFoundError

USE_NOTED_EVERY = timedelta(hours=1)


class ApiKey(SQLModel, table=True):
    """A key: a digest of its text, and what its holder may do."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True, max_length=32)
    sha256: str = Field(max_length=64)
    name: str
    scopes: list[str] = Field(sa_column=Column(JSON, nullable=False))
    party_id: str | None = Field(default=None, foreign_key="party.id", index=True, max_length=36)
    # The key that made it; null where the command line did.
    created_by: str | None = Field(default=None, max_length=32)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))
    expires_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    revoked_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    last_used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    entry_id: int = Field(foreign_key="log_entry.id", unique=True, sa_type=BigInteger)


# What each request reads of its key: plain columns, since making an object of them takes three times as long.
_STORED_KEY = select(  # type: ignore[call-overload]
    ApiKey.id,
    ApiKey.sha256,
    ApiKey.scopes,
    ApiKey.party_id,
    ApiKey.expires_at,
    ApiKey.revoked_at,
    ApiKey.last_used_at,
).where(col(ApiKey.id) == bindparam("key_id"))


@dataclass(frozen=True)
class StoredKey:
    """What is on record of a key: whether it is valid, and for what."""

    id: str
    sha256: str
    scopes: list[str]
    party_id: str | None
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def find_stored_key(connection: Connection, key_id: str) -> StoredKey | None:
    """Return what is on record of a key, valid or not; None where nothing is."""
    row = connection.execute(_STORED_KEY, {"key_id": key_id}).one_or_none()
    return None if row is None else StoredKey(*row)


def load_key(session: Session, key_id: str) -> ApiKey:
    """Return a key, valid or not.

    Raises:
        NotFoundError: no key has this id.
    """
    key = session.get(ApiKey, key_id)
    if key is None:
        raise NotFoundError(f"no key {key_id!r}", code="key_not_found")
    return key


def lock_key(session: Session, key_id: str) -> ApiKey:
    """Return a key as it is now and keep others from changing it until the transaction ends.

    Raises:
        NotFoundError: no key has this id.
    """
    query = select(ApiKey).where(ApiKey.id == key_id).with_for_update().execution_options(populate_existing=True)
    key = session.exec(query).first()
    if key is None:
        raise NotFoundError(f"no key {key_id!r}", code="key_not_found")
    return key


def list_keys(session: Session, after: str, limit: int) -> Sequence[ApiKey]:
    """Return a page of keys, oldest first."""
    return session.exec(select(ApiKey).where(col(ApiKey.id) > after).order_by(col(ApiKey.id)).limit(limit)).all()


def is_expired(key: ApiKey | StoredKey, now: datetime) -> bool:
    """Say whether a key's time is over."""
    return key.expires_at is not None and _aware(key.expires_at) <= now


def verify_key_counts(session: Session, key_id: str, now: datetime) -> None:
    """Check, in the middle of a long answer, that the key it began with still counts; the operator has none.

    Raises:
        ForbiddenError: it was revoked, or its time is over.
    """
    if not key_id:
        return
    stored = find_stored_key(session.connection(), key_id)
    if stored is None or stored.revoked_at is not None:
        raise ForbiddenError("the key was revoked", code="key_revoked")
    if is_expired(stored, now):
        raise ForbiddenError("the key's time is over", code="key_expired")


def is_use_noted(key: StoredKey, now: datetime) -> bool:
    """Say whether a use at this time is noted already; see rule 3."""
    return key.last_used_at is not None and _aware(key.last_used_at) > now - USE_NOTED_EVERY


def note_use(session: Session, key_id: str, now: datetime) -> None:
    """Note that a key was used; of several at once one writes."""
    not_noted = or_(col(ApiKey.last_used_at).is_(None), col(ApiKey.last_used_at) <= now - USE_NOTED_EVERY)
    session.execute(update(ApiKey).where(col(ApiKey.id) == key_id, not_noted).values(last_used_at=now))


def _aware(moment: datetime) -> datetime:
    # SQLite gives naive values, which are UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
