"""Checks: what the gate decided, and under which policy."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime
from sqlmodel import Field, Session, SQLModel, col, select

from shared.clock import utc_now
from shared.errors import NotFoundError
from shared.ids import new_id


class Check(SQLModel, table=True):
    """One gate decision; `result` is the answer as it was given, without names of people, which are kept with the party."""

    __tablename__ = "check"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    model_id: str = Field(foreign_key="model.id", index=True)
    policy_id: str = Field(foreign_key="policy.id")
    generation_sha256: str = Field(max_length=64, index=True)
    decision: str
    result: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    # By step; of this machine at that moment, and so no part of what is decided and logged.
    timings_ms: dict[str, float] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False, server_default="{}"))
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


def list_checks(session: Session, before: str, limit: int, **equal: str | None) -> list[Check]:
    """Return a page of checks, newest first.

    Args:
        session: an open transaction.
        before: id of the last check of the page before; empty for the first page.
        limit: how many at most.
        equal: columns and the values that they must have; None is any.
    """
    conditions = [col(getattr(Check, column)) == value for column, value in equal.items() if value is not None]
    if before:
        conditions.append(col(Check.id) < before)
    return list(session.exec(select(Check).where(*conditions).order_by(col(Check.id).desc()).limit(limit)))
