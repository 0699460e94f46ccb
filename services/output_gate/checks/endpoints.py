"""`POST /v1/checks` and `GET /v1/checks/{id}`: the pre-release check over REST."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Header, Request, Response, UploadFile

from services.output_gate.checks.schemas import CheckAnswer
from services.output_gate.checks.service import build_answer, check_generation
from services.output_gate.gate import Gate
from shared.problems import PROBLEM_RESPONSES
from shared.records.checks import load_check

router = APIRouter(prefix="/v1/checks", tags=["checks"], responses=PROBLEM_RESPONSES)


@router.post("", status_code=201, summary="Check one generation before it is released")
def create_check(
    request: Request,
    response: Response,
    image: Annotated[UploadFile, File(description="The generation: PNG, JPEG or WebP.")],
    model: Annotated[str, Form(description="Name or id of the model that made it.", min_length=1, max_length=100)],
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> CheckAnswer:
    """Compare a generation with everything that its model was trained on, decide, log, and answer with a receipt.

    `clear`: within what unrelated images show. `flag`: beyond it; the item and its presumed owners are named.
    `undecided`: something needed was missing; the reason says what. It is never to be taken for clear.
    """
    gate: Gate = request.app.state.gate
    data = image.file.read(gate.workspace.limits.max_bytes + 1)
    check = check_generation(gate, model, data, idempotency_key)
    response.headers["Location"] = f"/v1/checks/{check.id}"
    return build_answer(gate, check)


@router.get("/{check_id}", summary="Show one check")
def get_check(request: Request, check_id: str) -> CheckAnswer:
    """Answer with a check as it was decided, and its receipt."""
    gate: Gate = request.app.state.gate
    with gate.workspace.reading() as session:
        check = load_check(session, check_id)
    return build_answer(gate, check)
