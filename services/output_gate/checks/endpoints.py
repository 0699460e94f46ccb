"""`/v1/checks`: the pre-release check over REST."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlmodel import Session

from services.output_gate.checks.answers import build_answer, build_batched_answers, build_summaries
from services.output_gate.checks.batches import CHECKS, check_several, queue_checks
from services.output_gate.checks.schemas import BatchAnswer, CheckAnswer, CheckJobAnswer, CheckJobError, CheckSummary
from services.output_gate.checks.service import check_generation
from services.output_gate.checks.submission import REQUEST_BODY, Submission, prefers_async, read_submission
from services.output_gate.gate import Gate
from shared.auth.access import needs
from shared.clock import format_moment
from shared.errors import InputError, NotFoundError
from shared.http.idempotency import Key
from shared.http.paging import Page, decode_cursor, encode_cursor
from shared.http.problems import PROBLEM_RESPONSES, UNSUPPORTED_MEDIA_TYPE
from shared.records.batches import load_batch
from shared.records.checks import list_checks, load_check
from shared.records.jobs import Job, load_job
from shared.records.models import Model, load_model_record

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
    gate: Gate = request.app.state.gate
    if prefer is not None and prefers_async(request.headers.getlist("prefer")):
        return _answer_later(gate, submission, idempotency_key)
    if submission.several:
        return _answer_several(gate, submission, idempotency_key)
    data = submission.images[0].data
    if data is None:
        raise InputError("image: expected the file in base64 (RFC 4648 section 4)", code="not_base64")
    check = check_generation(gate, submission.model, data, idempotency_key)
    return _respond(201, build_answer(gate.workspace, check), Location=f"/v1/checks/{check.id}")


def _answer_several(gate: Gate, submission: Submission, key: str | None) -> Response:
    answers = build_batched_answers(gate.workspace, check_several(gate, submission.model, submission.images, key))
    status = 207 if any(answer.problem is not None for answer in answers) else 201
    return _respond(status, BatchAnswer(checks=answers))


def _answer_later(gate: Gate, submission: Submission, key: str | None) -> Response:
    job = queue_checks(gate.workspace, submission.model, submission.images, key)
    headers = {"Location": f"/v1/checks/jobs/{job.id}", "Preference-Applied": "respond-async"}
    return _respond(202, _build_job_answer(gate, job), **headers)


def _respond(status: int, answer: BaseModel, **headers: str) -> Response:
    return JSONResponse(answer.model_dump(mode="json"), status_code=status, headers=headers)


@router.get("", dependencies=needs("outputs:read"), summary="List checks")
def list_checks_made(
    request: Request,
    decision: Literal["clear", "flag", "undecided"] | None = None,
    model: Annotated[str | None, Query(max_length=100, description="Name or id.")] = None,
    generation_sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[CheckSummary]:
    """Answer with a page of checks, newest first; each filter that is given must hold."""
    gate: Gate = request.app.state.gate
    before = decode_cursor(cursor) if cursor else ""
    with gate.workspace.reading() as session:
        model_id = load_model_record(session, model).id if model else None
        found = list_checks(
            session, before, limit + 1, decision=decision, model_id=model_id, generation_sha256=generation_sha256
        )
        shown = build_summaries(session, found[:limit])
    return Page(items=shown, next_cursor=encode_cursor(found[limit - 1].id) if len(found) > limit else None)


@router.get("/jobs/{job_id}", dependencies=needs("checks:write"), summary="Show a job of checks")
def get_check_job(request: Request, response: Response, job_id: str) -> CheckJobAnswer:
    """Answer with how far a job is and, once it is finished, with what became of each image, in the order of the request.

    While it is not finished, `Retry-After` says when to ask again.
    """
    gate: Gate = request.app.state.gate
    with gate.workspace.reading() as session:
        job = load_job(session, job_id)
    if job.kind != CHECKS:
        raise NotFoundError(f"job {job_id!r} is none of checks", code="job_not_found")
    if job.finished_at is None:
        response.headers["Retry-After"] = str(ASK_AGAIN_SECONDS)
    return _build_job_answer(gate, job)


def _build_job_answer(gate: Gate, job: Job) -> CheckJobAnswer:
    with gate.workspace.reading() as session:
        model = _model_name(session, job)
        places = load_batch(session, job.id) if job.finished_at else []
    return CheckJobAnswer(
        id=job.id,
        state=job.state,
        model=model,
        done=job.done,
        total=job.request["images"],
        counts=job.counts,
        error=CheckJobError(code=job.error_code, message=job.error_message or "") if job.error_code else None,
        checks=build_batched_answers(gate.workspace, places) if job.finished_at else None,
        created_at=format_moment(job.created_at),
        finished_at=format_moment(job.finished_at) if job.finished_at else None,
    )


def _model_name(session: Session, job: Job) -> str:
    return session.get_one(Model, job.request["model"]).name


@router.get("/{check_id}", dependencies=needs("outputs:read"), summary="Show one check")
def get_check(request: Request, check_id: str) -> CheckAnswer:
    """Answer with a check as it was decided, and its receipt."""
    gate: Gate = request.app.state.gate
    with gate.workspace.reading() as session:
        check = load_check(session, check_id)
    return build_answer(gate.workspace, check)


@router.get(
    "/{check_id}/evidence.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
    dependencies=needs("outputs:read"),
    summary="Show what a check rests on as a picture",
)
def get_evidence_image(request: Request, check_id: str) -> Response:
    """Answer with the generation beside the matched item, the item laid over the generation, and where they agree and differ.

    A check that names no item has no such picture: 404.
    """
    # Imported with the first picture: drawing brings packages that no check needs, and a restart is to be short.
    from services.output_gate.checks.evidence_image import build_evidence_image  # noqa: PLC0415

    gate: Gate = request.app.state.gate
    with gate.workspace.reading() as session:
        check = load_check(session, check_id)
    return Response(build_evidence_image(gate.workspace, check), media_type="image/png", headers={"Cache-Control": "no-store"})
