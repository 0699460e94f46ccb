"""`/v1/items/{id}/amendments` and `/withdrawal`: an item's record changed."""

from fastapi import APIRouter, Response

from services.ingest.items.schemas import ItemAnswer
from services.ingest.lifecycle.schemas import Amendment, Withdrawal
from services.ingest.lifecycle.service import amend_item, withdraw_item
from shared.auth.access import needs
from shared.http.conditional import ConditionalRoute, IfMatch
from shared.http.dependencies import CurrentWorkspace
from shared.http.entity_tags import build_etag
from shared.http.idempotency import Key
from shared.http.problems import CONDITION_FAILED, PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/items", tags=["items"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)


@router.post(
    "/{item_id}/amendments",
    status_code=201,
    responses=CONDITION_FAILED,
    dependencies=needs("items:write"),
    summary="Amend an item's record",
)
def post_amendment(
    workspace: CurrentWorkspace,
    response: Response,
    item_id: str,
    body: Amendment,
    idempotency_key: Key = None,
    if_match: IfMatch = None,
) -> ItemAnswer:
    """Change what is recorded of an item. The change is a new entry; the old record stays in the log."""
    answer = amend_item(workspace, item_id, body, idempotency_key=idempotency_key, if_match=if_match)
    return _tagged(response, answer)


@router.post(
    "/{item_id}/withdrawal",
    status_code=201,
    responses=CONDITION_FAILED,
    dependencies=needs("items:write"),
    summary="Withdraw an item",
)
def post_withdrawal(
    workspace: CurrentWorkspace,
    response: Response,
    item_id: str,
    body: Withdrawal,
    idempotency_key: Key = None,
    if_match: IfMatch = None,
) -> ItemAnswer:
    """Withdraw an item: it stays on record, and no manifest that is sealed from now on can hold it."""
    answer = withdraw_item(workspace, item_id, body, idempotency_key=idempotency_key, if_match=if_match)
    return _tagged(response, answer)


def _tagged(response: Response, answer: ItemAnswer) -> ItemAnswer:
    # RFC 9110 section 8.7: the answer is what a GET of the item gives, so its tag can be used for the next change.
    response.headers["Content-Location"] = f"/v1/items/{answer.id}"
    response.headers["ETag"] = build_etag(answer)
    return answer
