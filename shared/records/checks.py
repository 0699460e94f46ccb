"""Checks: what the gate decided, and under which policy."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime
from sqlmodel import Field, Session, SQLModel

from shared.clock import utc_now
from shared.errors import NotFoundError
from shared.ids import new_id


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


def load_check(session: Session, check_id: str) -> Check:
    """Return a check.

    Raises:
        NotFoundError: no check has this id.
    """
    check = session.get(Check, check_id)
    if check is None:
        raise NotFoundError(f"no check {check_id!r}", code="check_not_found")
    return check
