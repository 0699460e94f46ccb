"""Jobs: work that a request asked for and a worker does. A job is durable from the moment it is accepted.

Rules, in order:

1. A job is `queued`, `running`, `done`, `failed` or `cancelled`. The oldest that is due is claimed first. A job that was put
   off is due when its time has come.
2. Whoever runs a job holds a lease on it and renews it. A lease that ran out says that its holder is gone: the job is due
   again.
3. Jobs of one lane run one at a time, the oldest that is due first. Jobs without a lane wait for nobody.
4. Only the holder of the lease writes to a running job. A cancelled job has no holder: its worker's writes then change
   nothing, and by that the worker learns of it. What the job put on record before it was cancelled stays.

5. A job names the key that asked for it, so that who may start jobs sees their own and not those of others.

Nothing here commits: the caller owns the transaction.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import JSON, Column, CursorResult, DateTime, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import Field, Session, SQLModel, col, func, select

from shared.clock import utc_now
from shared.errors import ConflictError, NotFoundError
from shared.ids import new_id

JobState = Literal["queued", "running", "done", "failed", "cancelled"]

# Any number, the same for every process.
_CLAIM_LOCK_KEY = 0x51EE7E_03


class Job(SQLModel, table=True):
    """One piece of long work: what was asked for, how far it is, what came of it."""

    __tablename__ = "job"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=36)
    kind: str
    # What must not be done twice at once, such as the receiver of messages.
    lane: str | None = Field(default=None, index=True)
    # Who asked for it: null for the operator, and for jobs that other work queued.
    key_id: str | None = Field(default=None, max_length=36)
    request: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    state: str = Field(default="queued", index=True)
    done: int = 0
    total: int | None = None
    counts: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    # Ids or paths of what came of it, by what they name; null until it is done.
    result: dict[str, str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    error_code: str | None = None
    error_message: str | None = None
    # Claims since the job last got on.
    attempts: int = 0
    worker: str | None = None
    lease_until: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    due_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    created_at: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))
    finished_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


def add_job(
    session: Session, kind: str, request: dict[str, Any], lane: str | None = None, *, key_id: str | None = None
) -> Job:
    """Queue a job, in a lane where it must not run beside others, for the key that asked for it."""
    job = Job(kind=kind, request=request, lane=lane, key_id=key_id)
    session.add(job)
    session.flush()
    return job


def load_job(session: Session, job_id: str) -> Job:
    """Return a job.

    Raises:
        NotFoundError: no job has this id.
    """
    job = session.get(Job, job_id)
    if job is None:
        raise NotFoundError(f"no job {job_id!r}", code="job_not_found")
    return job


def count_jobs(session: Session) -> dict[tuple[str, str], int]:
    """Return how many jobs there are, by kind and state."""
    query = select(Job.kind, Job.state, func.count()).group_by(col(Job.kind), col(Job.state))
    return {(kind, state): count for kind, state, count in session.exec(query)}


def list_jobs(
    session: Session,
    before: str | None,
    limit: int,
    *,
    state: JobState | None = None,
    kind: str | None = None,
    kinds: Collection[str] | None = None,
    key_id: str | None = None,
    key_kinds: Collection[str] = (),
) -> list[Job]:
    """Return jobs, newest first.

    Args:
        session: an open transaction.
        before: id of the last one seen; None from the newest on.
        limit: how many at most.
        state: in this state only.
        kind: of this kind only.
        kinds: of these kinds only; None is any.
        key_id: the key whose jobs of `key_kinds` are listed as well.
        key_kinds: kinds of which only the jobs of one key are listed.
    """
    filters = {Job.state: state, Job.kind: kind}
    where = [col(column) == value for column, value in filters.items() if value is not None]
    if kinds is not None:
        where.append(or_(col(Job.kind).in_(kinds), col(Job.kind).in_(key_kinds) & (col(Job.key_id) == key_id)))
    if before is not None:
        where.append(col(Job.id) < before)
    return list(session.exec(select(Job).where(*where).order_by(col(Job.id).desc()).limit(limit)))


def cancel_job(session: Session, job_id: str) -> Job:
    """Cancel a job that is not finished; one that is cancelled already stays as it is.

    Raises:
        NotFoundError: no job has this id.
        ConflictError: it is done or has failed.
    """
    job = session.exec(select(Job).where(Job.id == job_id).with_for_update()).first()
    if job is None:
        raise NotFoundError(f"no job {job_id!r}", code="job_not_found")
    if job.state in {"done", "failed"}:
        raise ConflictError(f"expected a job that is not finished, got one that is {job.state}", code="job_finished")
    if job.state != "cancelled":
        job.state, job.worker, job.lease_until, job.finished_at = "cancelled", None, None, utc_now()
        session.add(job)
        session.flush()
    return job


def is_held(session: Session, job_id: str, holder: str) -> bool:
    """Say whether a running job is still this holder's."""
    return session.exec(select(Job.id).where(*_held(job_id, holder))).first() is not None


def has_due_job(session: Session, kinds: Collection[str]) -> bool:
    """Say whether a job of these kinds waits for a worker."""
    return session.exec(select(Job.id).where(*_due(kinds)).limit(1)).first() is not None


def claim_job(session: Session, worker: str, kinds: Collection[str], lease: timedelta) -> Job | None:
    """Take the oldest job that is due, if there is one; two workers never take the same.

    Args:
        session: an open transaction.
        worker: who takes it.
        kinds: what the worker can run.
        lease: for how long the worker may be silent.
    """
    if session.get_bind().dialect.name == "postgresql":
        # Two that look at once would both find a lane free. SQLite's writers queue anyway.
        session.execute(select(func.pg_advisory_xact_lock(_CLAIM_LOCK_KEY)))
    query = select(Job).where(*_due(kinds)).order_by(col(Job.id)).limit(1).with_for_update(skip_locked=True, of=Job)
    job = session.exec(query).first()
    if job is None:
        return None
    job.state, job.worker, job.lease_until, job.attempts = "running", worker, utc_now() + lease, job.attempts + 1
    session.add(job)
    session.flush()
    return job


def _due(kinds: Collection[str]) -> list[Any]:
    expired = (col(Job.state) == "running") & (col(Job.lease_until) < utc_now())
    waiting = (col(Job.state) == "queued") & or_(col(Job.due_at).is_(None), col(Job.due_at) <= utc_now())
    other = aliased(Job)
    busy = select(other.id).where(
        col(other.lane) == col(Job.lane), col(other.state) == "running", col(other.id) != col(Job.id)
    )
    return [col(Job.kind).in_(kinds), or_(waiting, expired), or_(col(Job.lane).is_(None), ~busy.exists())]


def write_job(session: Session, job_id: str, holder: str, /, **changed: Any) -> bool:
    """Change a running job's columns; say whether the holder still held it, else nothing is changed."""
    result = session.execute(update(Job).where(*_held(job_id, holder)).values(**changed))
    return isinstance(result, CursorResult) and result.rowcount == 1


def _held(job_id: str, holder: str) -> list[Any]:
    return [col(Job.id) == job_id, col(Job.worker) == holder, col(Job.state) == "running"]
