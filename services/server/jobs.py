"""`/v1/jobs`: which jobs there are, how far each is, and cancelling one."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.server.job_kinds import JOB_SCOPES, STARTING_SCOPES, verify_may_cancel, verify_sees_job, visible_kinds
from shared.auth.access import needs
from shared.http.dependencies import CurrentCaller, CurrentWorkspace, PageQuery
from shared.http.jobs import JobAnswer, build_job_answer
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES
from shared.records.jobs import Job, JobState, cancel_job, list_jobs, load_job

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=PROBLEM_RESPONSES)

# RFC 9110 section 10.2.3: a job's figures change about as often.
ASK_AGAIN_SECONDS = 1


@router.get("", dependencies=needs(*JOB_SCOPES), summary="List jobs")
def get_jobs(
    workspace: CurrentWorkspace,
    caller: CurrentCaller,
    page: PageQuery,
    state: Annotated[JobState | None, Query(description="In this state only.")] = None,
    kind: Annotated[str | None, Query(max_length=100, description="Of this kind only, such as `archive.capture`.")] = None,
) -> Page[JobAnswer]:
    """Answer with a page of jobs, newest first: those that the caller's key asked for, and all that its scopes let it read."""
    before, visible = page.position or None, visible_kinds(caller)
    with workspace.reading() as session:
        jobs = list_jobs(
            session,
            before,
            page.rows_to_load,
            state=state,
            kind=kind,
            kinds=visible.everyones,
            key_id=caller.key_id,
            key_kinds=visible.own,
        )
    return page.build(jobs, _position, lambda rows: [build_job_answer(job) for job in rows])


@router.get("/{job_id}", dependencies=needs(*JOB_SCOPES), summary="Show how far a job is")
def get_job(workspace: CurrentWorkspace, caller: CurrentCaller, response: Response, job_id: str) -> JobAnswer:
    """Answer with a job's state and progress. While it is not finished, `Retry-After` says when to ask again."""
    with workspace.reading() as session:
        job = load_job(session, job_id)
    verify_sees_job(caller, job)
    answer = build_job_answer(job)
    if answer.finished_at is None:
        response.headers["Retry-After"] = str(ASK_AGAIN_SECONDS)
    return answer


@router.post("/{job_id}/cancel", dependencies=needs(*STARTING_SCOPES), summary="Cancel a job")
def post_job_cancel(workspace: CurrentWorkspace, caller: CurrentCaller, job_id: str) -> JobAnswer:
    """Cancel a job that waits or runs; a running one stops at its next step.

    What it has put on record stays. A job that is done or has failed is a conflict; to cancel a cancelled one changes nothing.
    """
    with workspace.writing() as session:
        verify_may_cancel(caller, load_job(session, job_id))
        return build_job_answer(cancel_job(session, job_id))


def _position(job: Job) -> str:
    return job.id
