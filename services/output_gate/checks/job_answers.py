"""Jobs of checks as they are answered: how far one is and, once it is finished, what became of each image."""

from services.output_gate.checks.answers import build_batched_answers
from services.output_gate.checks.batches import CHECK_JOBS, CHECKS
from services.output_gate.checks.schemas import CheckJobAnswer, CheckJobError
from shared.auth.caller import current_caller
from shared.clock import format_moment
from shared.errors import ForbiddenError, NotFoundError
from shared.records.batches import load_batch
from shared.records.jobs import load_job
from shared.records.models import Model
from shared.workspace import Workspace


def show_check_job(workspace: Workspace, job_id: str) -> CheckJobAnswer:
    """Return how far a job of checks is; once it is finished, with what became of each image, in the order of the request.

    Raises:
        NotFoundError: no such job, or one of another kind.
        ForbiddenError: another key asked for it, and the caller may not read what the gate decided for others.
    """
    with workspace.reading() as session:
        job = load_job(session, job_id)
        if job.kind != CHECKS:
            raise NotFoundError(f"job {job_id!r} is none of checks", code="job_not_found")
        if not CHECK_JOBS[0].is_visible_to(current_caller(), job):
            raise ForbiddenError(
                "expected the key that asked for the job, or one with the scope outputs:read", code="job_not_yours"
            )
        model = session.get_one(Model, job.request["model"]).name
        places = load_batch(session, job.id) if job.finished_at else []
    return CheckJobAnswer(
        id=job.id,
        state=job.state,
        model=model,
        done=job.done,
        total=job.request["images"],
        counts=job.counts,
        error=CheckJobError(code=job.error_code, message=job.error_message or "") if job.error_code else None,
        checks=build_batched_answers(workspace, places) if job.finished_at else None,
        created_at=format_moment(job.created_at),
        finished_at=format_moment(job.finished_at) if job.finished_at else None,
    )
