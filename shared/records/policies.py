"""Policies: versioned rules of the gate, each adopted through the log. The policy adopted last is in force."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, UniqueConstraint, func
from sqlmodel import Field, Session, SQLModel, col, select

from shared.clock import utc_now
from shared.errors import NotFoundError
from shared.ids import new_id
from shared.records.bulk_insert import insert_missing


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


class PolicyApproval(SQLModel, table=True):
    """A key that sent a policy to be adopted, where more than one has to; empty for the operator's commands."""

    __tablename__ = "policy_approval"

    policy_sha256: str = Field(primary_key=True, max_length=64)
    key_id: str = Field(primary_key=True, max_length=36)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


def approve(session: Session, policy_sha256: str, key_id: str) -> int:
    """Put an approval on record, in the caller's transaction, and return how many keys have approved the policy."""
    insert_missing(session, PolicyApproval, [{"policy_sha256": policy_sha256, "key_id": key_id, "created_at": utc_now()}])
    query = select(func.count()).select_from(PolicyApproval).where(PolicyApproval.policy_sha256 == policy_sha256)
    return session.exec(query).one()


def find_policy(session: Session, sha256: str) -> Policy | None:
    """Return the adopted policy with this digest, if there is one."""
    return session.exec(select(Policy).where(Policy.sha256 == sha256)).first()


def find_policy_in_force(session: Session) -> Policy | None:
    """Return the policy that was adopted last, whatever its name, if any was adopted."""
    return session.exec(select(Policy).order_by(col(Policy.entry_id).desc()).limit(1)).first()


def load_newest_policy(session: Session, name: str) -> Policy | None:
    """Return the newest adopted version of a policy, if any was adopted."""
    return session.exec(select(Policy).where(Policy.name == name).order_by(col(Policy.version).desc())).first()


def load_policy(session: Session, policy_id: str) -> Policy:
    """Return an adopted policy.

    Raises:
        NotFoundError: no policy has this id.
    """
    policy = session.get(Policy, policy_id)
    if policy is None:
        raise NotFoundError(f"no policy {policy_id!r}", code="policy_not_found")
    return policy


def list_policies(session: Session, after: str, limit: int) -> list[Policy]:
    """Return a page of adopted policies, oldest first; `after` is the id of the last one of the page before."""
    return list(session.exec(select(Policy).where(col(Policy.id) > after).order_by(col(Policy.id)).limit(limit)))
