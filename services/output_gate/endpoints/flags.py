"""`/v1/flags`: what was flagged, what it owes, and every step until it is paid, waived or overturned."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.output_gate.flags.schemas import FlagAnswer, FlagHistory, FlagStepRequest
from services.output_gate.flags.service import build_flag_history, page_of_flags, show_flag, step_flag
from services.output_gate.flags.visibility import SCOPE_OF_ROLE
from shared.auth.access import needs
from shared.http.conditional import ConditionalRoute, IfMatch
from shared.http.dependencies import CurrentWorkspace, PageQuery
from shared.http.entity_tags import build_etag
from shared.http.idempotency import Key
from shared.http.paging import Page
from shared.http.problems import CONDITION_FAILED, PROBLEM_RESPONSES
from shared.ledger.body_fields import MatchKind
from shared.records.flag_states import State

router = APIRouter(prefix="/v1/flags", tags=["flags"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)


@router.get("", dependencies=needs("flags:read", "flags:owner"), summary="List flags")
def get_flags(
    workspace: CurrentWorkspace,
    page: PageQuery,
    state: State | None = None,
    item: Annotated[str | None, Query(max_length=36)] = None,
    kind: MatchKind | None = None,
) -> Page[FlagAnswer]:
    """Answer with a page of flags, oldest first; each filter that is given must hold."""
    return page_of_flags(workspace, page, state=state, item_id=item, kind=kind)


@router.get("/{flag_id}", dependencies=needs("flags:read", "flags:owner"), summary="Show one flag")
def get_flag(workspace: CurrentWorkspace, flag_id: str) -> FlagAnswer:
    """Answer with a flag as it stands: state, owners with shares and amounts, what holds it, and the steps so far."""
    return show_flag(workspace, flag_id)


@router.get(
    "/{flag_id}/history",
    dependencies=needs("flags:read", "flags:owner"),
    summary="Show everything that the log says of a flag",
)
def get_flag_history(workspace: CurrentWorkspace, flag_id: str) -> FlagHistory:
    """Answer with the entries about a flag, the check that raised it first, each with its receipt."""
    return build_flag_history(workspace, flag_id)


@router.post(
    "/{flag_id}/steps",
    status_code=201,
    responses=CONDITION_FAILED,
    dependencies=needs(*SCOPE_OF_ROLE.values()),
    summary="Take a step with a flag",
)
def create_flag_step(
    workspace: CurrentWorkspace,
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
    answer = step_flag(workspace, flag_id, body, idempotency_key=idempotency_key, if_match=if_match)
    return tag_flag(response, answer)


def tag_flag(response: Response, flag: FlagAnswer) -> FlagAnswer:
    """Name in a response the flag that it shows, and the tag that the next change can ask for."""
    # RFC 9110 section 8.7: the answer is what a GET of the flag gives.
    response.headers["Content-Location"] = f"/v1/flags/{flag.id}"
    response.headers["ETag"] = build_etag(flag)
    return flag
