"""Generations that were handed in together: each has its place, and what became of it.

Rules, in order:

1. Every place is on record before the first generation is decided; a generation that is not yet decided has no outcome.
2. An outcome is a check or a problem, written once, a check's in the transaction that records the check. So a batch that is
   gone through again, after a kill say, decides nothing twice.

Nothing here commits: the caller owns the transaction.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, Column, CursorResult, update
from sqlmodel import Field, Session, SQLModel, col, func, select


class BatchedCheck(SQLModel, table=True):
    """One generation of a batch; a batch that a job works on has the job's id."""

    __tablename__ = "batched_check"

    batch_id: str = Field(primary_key=True, max_length=36)
    position: int = Field(primary_key=True)
    name: str | None = None
    # None where the bytes were refused before they were kept.
    generation_sha256: str | None = Field(default=None, max_length=64)
    check_id: str | None = Field(default=None, foreign_key="check.id", unique=True, max_length=36)
    # `status`, `code` and `detail` of what was wrong with it.
    problem: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))


def load_batch(session: Session, batch_id: str) -> list[BatchedCheck]:
    """Return the places of a batch, in order."""
    query = select(BatchedCheck).where(BatchedCheck.batch_id == batch_id).order_by(col(BatchedCheck.position))
    return list(session.exec(query))


def load_batch_page(session: Session, batch_id: str, after: int, limit: int) -> list[BatchedCheck]:
    """Return up to `limit` places of a batch behind a position, in order."""
    query = (
        select(BatchedCheck)
        .where(BatchedCheck.batch_id == batch_id, col(BatchedCheck.position) > after)
        .order_by(col(BatchedCheck.position))
        .limit(limit)
    )
    return list(session.exec(query))


def save_outcome(
    session: Session, batch_id: str, position: int, *, check_id: str | None = None, problem: dict[str, Any] | None = None
) -> bool:
    """Write what became of a generation; say whether nothing was written before, else nothing is changed."""
    here = (col(BatchedCheck.batch_id) == batch_id) & (col(BatchedCheck.position) == position)
    is_open = col(BatchedCheck.check_id).is_(None) & col(BatchedCheck.problem).is_(None)
    result = session.execute(update(BatchedCheck).where(here, is_open).values(check_id=check_id, problem=problem))
    return isinstance(result, CursorResult) and result.rowcount == 1


def count_open(session: Session, batch_ids: Sequence[str]) -> dict[str, int]:
    """Return how many generations of batches have no outcome, by batch, those with none left out."""
    query = (
        select(BatchedCheck.batch_id, func.count())
        .where(
            col(BatchedCheck.batch_id).in_(batch_ids),
            col(BatchedCheck.check_id).is_(None),
            col(BatchedCheck.problem).is_(None),
        )
        .group_by(col(BatchedCheck.batch_id))
    )
    return dict(session.exec(query).all())
