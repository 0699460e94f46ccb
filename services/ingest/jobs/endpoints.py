"""`/v1/jobs`: what long work there is, how far it is, and that it is wanted no more."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from shared.auth.access import needs
from shared.auth.caller import current_caller
from shared.auth.visibility import JOB_SCOPES, kinds_seen, verify_sees_job
from shared.http.jobs import JobAnswer, build_job_answer
from shared.http.paging import Page, decode_cursor, encode_cursor
from shared.http.problems import PROBLEM_RESPONSES
from shared.records.job_states import JobState
from shared.records.jobs import cancel_job, list_jobs, load_job
from shared.workspace import Workspace

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=PROBLEM_RESPONSES)

# RFC 9110 section 10.2.3: a job's figures change about as often.
ASK_AGAIN_SECONDS = 1


@router.get("", dependencies=needs(*JOB_SCOPES), summary="List jobs")
def get_jobs(
    request: Request,
    state: Annotated[JobState | None, Query(description="In this state only.")] = None,
    kind: Annotated[str | None, Query(max_length=100, description="Of this kind only, such as `archive.capture`.")] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[JobAnswer]:
    """Answer with a page of the jobs that the caller could start, newest first."""
    workspace: Workspace = request.app.state.workspace
    before = decode_cursor(cursor) if cursor else None
    with workspace.reading() as session:
        found = list_jobs(session, before, limit + 1, state=state, kind=kind, kinds=kinds_seen(current_caller()))
    shown = [build_job_answer(job) for job in found[:limit]]
    return Page(items=shown, next_cursor=encode_cursor(shown[-1].id) if len(found) > limit else None)


@router.get("/{job_id}", dependencies=needs(*JOB_SCOPES), summary="Show how far a job is")
def get_job(request: Request, response: Response, job_id: str) -> JobAnswer:
    """Answer with a job's state and progress. While it is not finished, `Retry-After` says when to ask again."""
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        job = load_job(session, job_id)
    verify_sees_job(current_caller(), job.kind)
    answer = build_job_answer(job)
    if answer.finished_at is None:
        response.headers["Retry-After"] = str(ASK_AGAIN_SECONDS)
    return answer


@router.post("/{job_id}/cancel", dependencies=needs(*JOB_SCOPES), summary="Cancel a job")
def post_job_cancel(request: Request, job_id: str) -> JobAnswer:
    """Cancel a job that waits or runs; a running one stops at its next step.

    What it has put on record stays. A job that is done or has failed is a conflict; to cancel a cancelled one changes nothing.
    """
    workspace: Workspace = request.app.state.workspace
    with workspace.writing() as session:
        verify_sees_job(current_caller(), load_job(session, job_id).kind)
        return build_job_answer(cancel_job(session, job_id))
