"""`/v1/flags`: what was flagged, what it owes, and every step until it is paid, waived or overturned."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.output_gate.flags.answers import build_flag_answer, build_flag_history, page_of_flags
from services.output_gate.flags.schemas import FlagAnswer, FlagHistory, FlagStepRequest
from services.output_gate.flags.steps import take_step
from services.output_gate.flags.visibility import SCOPE_OF_ROLE, verify_role, verify_sees_flag
from shared.auth.access import needs
from shared.auth.caller import current_caller
from shared.canonical import canonical_json, sha256_hex
from shared.http.conditional import ConditionalRoute, IfMatch, build_etag, verify_precondition
from shared.http.idempotency import Key
from shared.http.paging import Page
from shared.http.problems import CONDITION_FAILED, PROBLEM_RESPONSES
from shared.ledger.body_fields import MatchKind
from shared.records.flag_states import State
from shared.records.flags import load_flag, lock_flag
from shared.records.idempotency import bind_effect, find_effect
from shared.workspace import Workspace

router = APIRouter(prefix="/v1/flags", tags=["flags"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)

OPERATION = "flags.step"


@router.get("", dependencies=needs("flags:read", "flags:owner"), summary="List flags")
def get_flags(
    request: Request,
    state: State | None = None,
    item: Annotated[str | None, Query(max_length=36)] = None,
    kind: MatchKind | None = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[FlagAnswer]:
    """Answer with a page of flags, oldest first; each filter that is given must hold."""
    workspace: Workspace = request.app.state.workspace
    return page_of_flags(workspace, cursor, limit, state=state, item_id=item, kind=kind)


@router.get("/{flag_id}", dependencies=needs("flags:read", "flags:owner"), summary="Show one flag")
def get_flag(request: Request, flag_id: str) -> FlagAnswer:
    """Answer with a flag as it stands: state, owners with shares and amounts, what holds it, and the steps so far."""
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        flag = load_flag(session, flag_id)
        verify_sees_flag(current_caller(), flag.shares)
        return build_flag_answer(session, flag)


@router.get(
    "/{flag_id}/history",
    dependencies=needs("flags:read", "flags:owner"),
    summary="Show everything that the log says of a flag",
)
def get_flag_history(request: Request, flag_id: str) -> FlagHistory:
    """Answer with the entries about a flag, the check that raised it first, each with its receipt."""
    workspace: Workspace = request.app.state.workspace
    return build_flag_history(workspace, flag_id)


@router.post(
    "/{flag_id}/steps",
    status_code=201,
    responses=CONDITION_FAILED,
    dependencies=needs(*SCOPE_OF_ROLE.values()),
    summary="Take a step with a flag",
)
def create_flag_step(
    request: Request,
    response: Response,
    flag_id: str,
    body: FlagStepRequest,
    idempotency_key: Key = None,
    if_match: IfMatch = None,
) -> FlagAnswer:
    """Notify the owners, put their answer on record, assess, hold, release, pay or waive; a new entry each time.

    A step that the flag's state does not allow is a conflict (409): the flag's `next_steps` say what may follow. What is held
    cannot be paid until it is released.
    """
    workspace: Workspace = request.app.state.workspace
    digest = sha256_hex(canonical_json({"flag": flag_id, "body": body.model_dump(mode="json")}))
    with workspace.writing() as session:
        if find_effect(session, OPERATION, idempotency_key, digest) is None:
            flag = lock_flag(session, flag_id)
            verify_role(current_caller(), body.role, flag.shares)
            verify_precondition(if_match, lambda: build_flag_answer(session, flag))
            take_step(
                session,
                flag_id,
                body.step,
                body.role,
                reason=body.reason,
                actor_name=body.name,
                note=body.note,
                currency=body.currency,
                amount_minor=body.amount_minor,
            )
            bind_effect(session, OPERATION, idempotency_key, digest, flag_id)
    return tagged_answer(workspace, response, flag_id)


def tagged_answer(workspace: Workspace, response: Response, flag_id: str) -> FlagAnswer:
    """Answer a change with the flag as it is now, and the tag that the next change can name."""
    workspace.log.integrate()
    with workspace.reading() as session:
        answer = build_flag_answer(session, load_flag(session, flag_id))
    # RFC 9110 section 8.7: the answer is what a GET of the flag gives.
    response.headers["Content-Location"] = f"/v1/flags/{flag_id}"
    response.headers["ETag"] = build_etag(answer)
    return answer
