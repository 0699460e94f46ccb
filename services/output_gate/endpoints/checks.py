"""`/v1/checks`: the pre-release check over REST."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from services.output_gate.checks.answers import build_answer, build_batched_answers, page_of_checks, show_check
from services.output_gate.checks.batches import check_several, queue_checks
from services.output_gate.checks.evidence_image import draw_evidence
from services.output_gate.checks.job_answers import show_check_job
from services.output_gate.checks.schemas import BatchAnswer, CheckAnswer, CheckJobAnswer, CheckSummary
from services.output_gate.checks.service import check_generation
from services.output_gate.checks.submission import REQUEST_BODY, Submission, prefers_async, read_submission
from services.output_gate.dependencies import CurrentGate
from services.output_gate.gate import Gate
from shared.auth.access import needs
from shared.http.dependencies import CurrentWorkspace, PageQuery
from shared.http.idempotency import Key
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES, UNSUPPORTED_MEDIA_TYPE

router = APIRouter(prefix="/v1/checks", tags=["checks"], responses=PROBLEM_RESPONSES)

# RFC 9110 section 10.2.3: a job's figures change about as often.
ASK_AGAIN_SECONDS = 1

_CREATED: dict[int | str, dict[str, Any]] = {
    201: {"model": CheckAnswer | BatchAnswer, "description": "Every image was decided about"},
    202: {"model": CheckJobAnswer, "description": "The images are kept, and a job will decide; `Location` names it"},
    207: {"model": BatchAnswer, "description": "Several images, at least one of which has a problem by itself"},
}


@router.post(
    "",
    status_code=201,
    response_model=None,
    responses=_CREATED | UNSUPPORTED_MEDIA_TYPE,
    openapi_extra={"requestBody": REQUEST_BODY},
    dependencies=needs("checks:write"),
    summary="Check generations before they are released",
)
def create_check(
    request: Request,
    gate: CurrentGate,
    submission: Annotated[Submission, Depends(read_submission)],
    idempotency_key: Key = None,
    prefer: Annotated[
        str | None, Header(max_length=500, description="`respond-async`: answer 202 at once and decide later (RFC 7240).")
    ] = None,
) -> Response:
    """Compare generations with everything that their model was trained on, decide, log, and answer with receipts.

    `clear`: within what unrelated images show. `flag`: beyond it; the item and its presumed owners are named.
    `undecided`: something needed was missing; the reason says what. It is never to be taken for clear.

    One image is answered by its check. Several are answered by an entry for each, with its check or the problem that the image
    has by itself: 201 where every one was decided about, 207 where some have a problem.
    """
    if prefer is not None and prefers_async(request.headers.getlist("prefer")):
        return _answer_later(gate, submission, idempotency_key)
    if submission.several:
        return _answer_several(gate, submission, idempotency_key)
    check = check_generation(gate, submission.model, submission.only_data, idempotency_key)
    return _respond(201, build_answer(gate.workspace, check), Location=f"/v1/checks/{check.id}")


def _answer_several(gate: Gate, submission: Submission, key: str | None) -> Response:
    answers = build_batched_answers(gate.workspace, check_several(gate, submission.model, submission.images, key))
    status = 207 if any(answer.problem is not None for answer in answers) else 201
    return _respond(status, BatchAnswer(checks=answers))


def _answer_later(gate: Gate, submission: Submission, key: str | None) -> Response:
    job = queue_checks(gate.workspace, submission.model, submission.images, key)
    headers = {"Location": f"/v1/checks/jobs/{job.id}", "Preference-Applied": "respond-async"}
    return _respond(202, show_check_job(gate.workspace, job.id), **headers)


def _respond(status: int, answer: BaseModel, **headers: str) -> Response:
    return JSONResponse(answer.model_dump(mode="json"), status_code=status, headers=headers)


@router.get("", dependencies=needs("outputs:read"), summary="List checks")
def list_checks_made(
    workspace: CurrentWorkspace,
    page: PageQuery,
    decision: Literal["clear", "flag", "undecided"] | None = None,
    model: Annotated[str | None, Query(max_length=100, description="Name or id.")] = None,
    generation_sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
) -> Page[CheckSummary]:
    """Answer with a page of checks, newest first; each filter that is given must hold."""
    return page_of_checks(workspace, page, decision=decision, model=model, generation_sha256=generation_sha256)


@router.get("/jobs/{job_id}", dependencies=needs("checks:write", "outputs:read"), summary="Show a job of checks")
def get_check_job(workspace: CurrentWorkspace, response: Response, job_id: str) -> CheckJobAnswer:
    """Answer with how far a job is and, once it is finished, with what became of each image, in the order of the request.

    While it is not finished, `Retry-After` says when to ask again.
    """
    answer = show_check_job(workspace, job_id)
    if answer.finished_at is None:
        response.headers["Retry-After"] = str(ASK_AGAIN_SECONDS)
    return answer


@router.get("/{check_id}", dependencies=needs("outputs:read"), summary="Show one check")
def get_check(workspace: CurrentWorkspace, check_id: str) -> CheckAnswer:
    """Answer with a check as it was decided, and its receipt."""
    return show_check(workspace, check_id)


@router.get(
    "/{check_id}/evidence.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
    dependencies=needs("outputs:read"),
    summary="Show what a check rests on as a picture",
)
def get_evidence_image(workspace: CurrentWorkspace, check_id: str) -> Response:
    """Answer with the generation beside the matched item, the item laid over the generation, and where they agree and differ.

    A check that names no item has no such picture: 404.
    """
    return Response(draw_evidence(workspace, check_id), media_type="image/png", headers={"Cache-Control": "no-store"})
