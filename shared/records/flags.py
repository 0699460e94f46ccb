"""Flags: which creators a flag names, with what part of which amount, and every step that was taken with it.

Rules, in order:

1. A flag is never deleted. `state`, `held`, amount and shares are what its entries come to; `FlagStep` names those entries.
2. A step is taken on a locked flag, so that of two at once the second sees the first.
3. A check raises at most one flag for each item: one for the item that decides, one for each further work that it shows.
4. `held` is the code of what keeps the amount from being paid; null where nothing does.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, String, UniqueConstraint, cast
from sqlmodel import Field, Session, SQLModel, col, func, select

from shared.clock import utc_now
from shared.errors import NotFoundError
from shared.ids import new_id
from shared.records.bulk_insert import in_chunks


class Flag(SQLModel, table=True):
    """A fired compensation flag: one check, one matched item, the owners' shares (`party`, `share`, `amount_minor`)."""

    __tablename__ = "flag"
    __table_args__ = (UniqueConstraint("check_id", "item_id"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    check_id: str = Field(foreign_key="check.id")
    item_id: str = Field(foreign_key="item.id", index=True)
    state: str = Field(default="raised", index=True)
    shares: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    currency: str | None = Field(default=None, max_length=3)
    amount_minor: int | None = Field(default=None, sa_type=BigInteger)
    held: str | None = None
    # In which way the generation shows the item (`shared.match_kinds`); null where the check says none.
    kind: str | None = Field(default=None, index=True)
    # A release that was given for a reason: the same contest does not hold the flag again.
    contest_released: bool = False
    # Likewise of owners whom near duplicates of the item name.
    cluster_released: bool = False
    entry_id: int = Field(foreign_key="log_entry.id", unique=True, sa_type=BigInteger)
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


class FlagStep(SQLModel, table=True):
    """One step with a flag after it was raised, in the order of the entries; the entry says the rest."""

    __tablename__ = "flag_step"

    entry_id: int = Field(foreign_key="log_entry.id", primary_key=True, sa_type=BigInteger)
    flag_id: str = Field(foreign_key="flag.id", index=True, max_length=36)
    step: str
    role: str
    state: str
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))


def load_flag(session: Session, flag_id: str) -> Flag:
    """Return a flag.

    Raises:
        NotFoundError: no flag has this id.
    """
    flag = session.get(Flag, flag_id)
    if flag is None:
        raise NotFoundError(f"no flag {flag_id!r}", code="flag_not_found")
    return flag


def find_flags_of_check(session: Session, check_id: str) -> list[Flag]:
    """Return the flags that a check raised, oldest first: that of the item that decided, then those of further works."""
    return find_flags_of_checks(session, [check_id])[check_id]


def find_flags_of_checks(session: Session, check_ids: Sequence[str]) -> dict[str, list[Flag]]:
    """Return the flags that each check raised, oldest first, by check id."""
    flags: dict[str, list[Flag]] = {check_id: [] for check_id in check_ids}
    for chunk in in_chunks(check_ids):
        for flag in session.exec(select(Flag).where(col(Flag.check_id).in_(chunk)).order_by(col(Flag.entry_id))):
            flags[flag.check_id].append(flag)
    return flags


def lock_flag(session: Session, flag_id: str) -> Flag:
    """Return a flag as it is now and keep others from changing it until the transaction ends.

    Raises:
        NotFoundError: no flag has this id.
    """
    query = select(Flag).where(Flag.id == flag_id).with_for_update(key_share=True).execution_options(populate_existing=True)
    flag = session.exec(query).first()
    if flag is None:
        raise NotFoundError(f"no flag {flag_id!r}", code="flag_not_found")
    return flag


def list_flags(session: Session, after: str, limit: int, *, owner_id: str | None = None, **equal: str | None) -> list[Flag]:
    """Return a page of flags, oldest first.

    Args:
        session: an open transaction.
        after: id of the last flag of the page before; empty for the first page.
        limit: how many at most.
        owner_id: a party that the flags' shares name; None is any.
        equal: columns and the values that they must have; None is any.
    """
    conditions: list[Any] = [col(getattr(Flag, column)) == value for column, value in equal.items() if value is not None]
    if owner_id is not None:
        # Shares hold no other text than party ids, of a fixed length; the two databases have no other way in common.
        conditions.append(cast(Flag.shares, String).contains(f'"{owner_id}"', autoescape=True))
    query = select(Flag).where(col(Flag.id) > after, *conditions).order_by(col(Flag.id)).limit(limit)
    return list(session.exec(query))


def load_steps(session: Session, flag_ids: Sequence[str]) -> dict[str, list[FlagStep]]:
    """Return the steps that were taken with each flag, oldest first, by flag id."""
    steps: dict[str, list[FlagStep]] = {flag_id: [] for flag_id in flag_ids}
    for chunk in in_chunks(flag_ids):
        query = select(FlagStep).where(col(FlagStep.flag_id).in_(chunk)).order_by(col(FlagStep.entry_id))
        for step in session.exec(query):
            steps[step.flag_id].append(step)
    return steps


def count_flags(session: Session, states: Sequence[str] | None = None) -> dict[str, int]:
    """Return how many flags are in each state, or in each of some states."""
    query = select(Flag.state, func.count()).group_by(col(Flag.state))
    if states is not None:
        query = query.where(col(Flag.state).in_(states))
    return dict(session.exec(query).all())
