"""`/v1/jobs`: how far long work is."""

from fastapi import APIRouter, Request, Response

from services.ingest.jobs.schemas import JobAnswer, build_job_answer
from shared.problems import PROBLEM_RESPONSES
from shared.records.jobs import load_job
from shared.workspace import Workspace

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=PROBLEM_RESPONSES)

# RFC 9110 section 10.2.3: a job's figures change about as often.
ASK_AGAIN_SECONDS = 1


@router.get("/{job_id}", summary="Show how far a job is")
def get_job(request: Request, response: Response, job_id: str) -> JobAnswer:
    """Answer with a job's state and progress. While it is not finished, `Retry-After` says when to ask again."""
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        answer = build_job_answer(load_job(session, job_id))
    if answer.finished_at is None:
        response.headers["Retry-After"] = str(ASK_AGAIN_SECONDS)
    return answer
