"""What a job says of itself."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from shared.clock import format_moment
from shared.records.jobs import Job


class JobError(BaseModel):
    """Why a job failed."""

    code: str
    message: str


class JobAnswer(BaseModel):
    """A job: what was asked for, how far it is, what came of it so far."""

    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed"]
    request: dict[str, Any]
    done: int = Field(description="Steps that are on record.")
    total: int | None = Field(description="Steps of the whole job; null until it began.")
    counts: dict[str, int] = Field(description="How many steps came to what.")
    error: JobError | None
    created_at: str
    finished_at: str | None


def build_job_answer(job: Job) -> JobAnswer:
    """Build the answer about a job."""
    error = JobError(code=job.error_code, message=job.error_message or "") if job.error_code else None
    shown = job.model_dump(include={"id", "kind", "state", "request", "done", "total", "counts"})
    finished_at = format_moment(job.finished_at) if job.finished_at else None
    return JobAnswer(**shown, error=error, created_at=format_moment(job.created_at), finished_at=finished_at)
