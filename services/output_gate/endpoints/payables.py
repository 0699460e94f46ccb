"""`/v1/payables`: what is owed to whom, as JSON by pages, or whole as CSV."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from services.output_gate.payables.payables import Payable, iterate_payables, page_of_payables, write_csv
from shared.auth.access import needs
from shared.http.conditional import ConditionalRoute
from shared.http.dependencies import CurrentWorkspace
from shared.http.paging import Page, PageRequest
from shared.http.problems import PROBLEM_RESPONSES
from shared.records.flag_states import State

router = APIRouter(prefix="/v1/payables", tags=["flags"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)

# RFC 7111: the media type of CSV, and what says that the first line is a header.
CSV = "text/csv"
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {CSV: {"schema": {"type": "string"}}}}}


@router.get(
    "",
    response_model=Page[Payable],
    responses=_CSV,
    dependencies=needs("flags:read", "flags:owner"),
    summary="List what is owed to whom",
)
def get_payables(
    workspace: CurrentWorkspace,
    accept: Annotated[str, Header(max_length=500)] = "application/json",
    state: State | None = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="How many flags a page; all their rows stand on it.")] = 50,
) -> Page[Payable] | Response:
    """Answer with one row an owner's share of a flag, oldest flag first; the rows of a flag sum to exactly its amount.

    Overturned flags are left out unless their state is asked for. Where `Accept` names `text/csv` first, the answer is all
    rows as CSV, and cursor and limit do not count.
    """
    if not accept.strip().startswith(CSV):
        return page_of_payables(workspace, PageRequest(cursor, limit), state)
    headers = {"Vary": "Accept", "Content-Disposition": 'attachment; filename="payables.csv"'}
    lines = write_csv(iterate_payables(workspace, state))
    return StreamingResponse(lines, media_type=f"{CSV}; charset=utf-8; header=present", headers=headers)
