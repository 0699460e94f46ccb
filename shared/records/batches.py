"""Generations that were handed in together: the place of each, and its outcome.

Rules, in order:

1. Every place is on record before the first generation is decided. A generation that is not yet decided has no outcome.
2. An outcome is a check or a problem and is written once, a check's in the transaction that records the check. So a batch that
   is gone through again, after a kill for example, decides nothing twice.

Nothing here commits: the caller owns the transaction.
"""

from typing import Any

from sqlalchemy import JSON, Column, CursorResult, update
from sqlmodel import Field, Session, SQLModel, col, func, select

from shared.records.jobs import Job


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


def save_outcome(
    session: Session, batch_id: str, position: int, *, check_id: str | None = None, problem: dict[str, Any] | None = None
) -> bool:
    """Write what became of a generation; say whether nothing was written before, else nothing is changed."""
    here = (col(BatchedCheck.batch_id) == batch_id) & (col(BatchedCheck.position) == position)
    is_open = col(BatchedCheck.check_id).is_(None) & col(BatchedCheck.problem).is_(None)
    result = session.execute(update(BatchedCheck).where(here, is_open).values(check_id=check_id, problem=problem))
    return isinstance(result, CursorResult) and result.rowcount == 1


def count_undecided(session: Session) -> tuple[dict[str, int], int]:
    """Count the images that jobs took on and that have no outcome.

    Returns:
        By batch those whose job has ended all the same; and how many wait for a job that has not.
    """
    query = (
        select(Job.id, Job.finished_at, func.count())
        .join(BatchedCheck, col(BatchedCheck.batch_id) == col(Job.id))
        .where(col(BatchedCheck.check_id).is_(None), col(BatchedCheck.problem).is_(None))
        .group_by(col(Job.id), col(Job.finished_at))
    )
    rows = session.exec(query).all()
    lost = {job_id: count for job_id, finished_at, count in rows if finished_at is not None}
    return lost, sum(count for _, finished_at, count in rows if finished_at is None)
