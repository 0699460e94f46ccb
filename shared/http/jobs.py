"""Jobs over HTTP: a request queues a job, once for each key, and the answer says how far the job is."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field
from sqlmodel import Session

from shared.auth.caller import current_caller
from shared.clock import format_moment
from shared.idempotency import once
from shared.records.jobs import Job, JobState, add_job, load_job
from shared.workspace import Workspace


class JobError(BaseModel):
    """Why a job failed."""

    code: str
    message: str


class JobAnswer(BaseModel):
    """A job: what was asked for, how far it is, what came of it so far."""

    id: str
    kind: str
    state: JobState
    request: dict[str, Any]
    done: int = Field(description="Steps that are on record.")
    total: int | None = Field(description="Steps of the whole job; null until it began.")
    counts: dict[str, int] = Field(description="How many steps came to what.")
    result: dict[str, str] | None = Field(
        description="Ids or paths of what came of it, by what they name; null until it is done, and where it names nothing."
    )
    error: JobError | None
    created_at: str
    finished_at: str | None


def build_job_answer(job: Job) -> JobAnswer:
    """Build the answer about a job."""
    error = JobError(code=job.error_code, message=job.error_message or "") if job.error_code else None
    columns = job.model_dump(include={"id", "kind", "state", "request", "done", "total", "counts", "result"})
    finished_at = format_moment(job.finished_at) if job.finished_at else None
    return JobAnswer(**columns, error=error, created_at=format_moment(job.created_at), finished_at=finished_at)


def queue_job_once(workspace: Workspace, kind: str, request: Mapping[str, Any], key: str | None) -> Job:
    """Queue a job for the present caller, or return the one that this key queued.

    Args:
        workspace: where the job is put on record.
        kind: name of the job's kind.
        request: what the job is to do, JSON values.
        key: the request's Idempotency-Key, if it has one.

    Raises:
        ConflictError: the key was used for another request.
    """
    key_id = current_caller().key_id or None

    def queue(session: Session) -> str:
        return add_job(session, kind, dict(request), key_id=key_id).id

    effect = once(workspace, kind, key, dict(request), queue)
    with workspace.reading() as session:
        return load_job(session, effect.resource_id)
