"""Checks and flags: what the gate decided, under which policy, and which creators a fired flag names."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from shared.clock import utc_now
from shared.errors import NotFoundError
from shared.ids import new_id


class Policy(SQLModel, table=True):
    """A policy that was adopted through the log."""

    __tablename__ = "policy"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    name: str
    version: int
    sha256: str = Field(max_length=64, unique=True)
    content: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    entry_id: int = Field(foreign_key="log_entry.id", unique=True, sa_type=BigInteger)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


class Check(SQLModel, table=True):
    """One gate decision; `result` is the answer as it was given."""

    __tablename__ = "check"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    model_id: str = Field(foreign_key="model.id", index=True)
    policy_id: str = Field(foreign_key="policy.id")
    generation_sha256: str = Field(max_length=64, index=True)
    decision: str
    result: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    entry_id: int = Field(foreign_key="log_entry.id", unique=True, sa_type=BigInteger)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


class Flag(SQLModel, table=True):
    """A fired compensation flag: one check, one matched item, the owners' shares."""

    __tablename__ = "flag"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    check_id: str = Field(foreign_key="check.id", unique=True)
    item_id: str = Field(foreign_key="item.id", index=True)
    state: str = "raised"
    shares: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    entry_id: int = Field(foreign_key="log_entry.id", unique=True, sa_type=BigInteger)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


def load_check(session: Session, check_id: str) -> Check:
    """Return a check.

    Raises:
        NotFoundError: no check has this id.
    """
    check = session.get(Check, check_id)
    if check is None:
        raise NotFoundError(f"no check {check_id!r}", code="check_not_found")
    return check


def find_policy(session: Session, sha256: str) -> Policy | None:
    """Return the adopted policy with this digest, if there is one."""
    return session.exec(select(Policy).where(Policy.sha256 == sha256)).first()


def load_newest_policy(session: Session, name: str) -> Policy | None:
    """Return the newest adopted version of a policy, if any was adopted."""
    return session.exec(select(Policy).where(Policy.name == name).order_by(col(Policy.version).desc())).first()
