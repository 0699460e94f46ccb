"""`/v1/items`: list, amend, withdraw, history."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from sqlmodel import Session

from services.ingest.items.access import NEEDS_VISIBILITY
from services.ingest.items.answers import build_item_answer
from services.ingest.items.schemas import ItemAnswer
from services.ingest.items.service import page_of_items
from services.ingest.lifecycle.history import build_history
from services.ingest.lifecycle.schemas import Amendment, History, Withdrawal
from services.ingest.lifecycle.service import amend_item, withdraw_item
from shared.auth.access import needs
from shared.canonical import canonical_json, sha256_hex
from shared.http.conditional import ConditionalRoute, IfMatch, build_etag, verify_precondition
from shared.http.idempotency import Key
from shared.http.paging import Page
from shared.http.problems import CONDITION_FAILED, PROBLEM_RESPONSES
from shared.records.idempotency import bind_effect, find_effect
from shared.records.items import Item, load_item, lock_item
from shared.workspace import Workspace

router = APIRouter(prefix="/v1/items", tags=["items"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)

Change = TypeVar("Change", bound=BaseModel)


@router.get("", dependencies=needs("items:read", "items:own"), summary="List items")
def get_items(
    request: Request,
    dataset: Annotated[str | None, Query(max_length=2000)] = None,
    licence: Annotated[str | None, Query(max_length=2000)] = None,
    sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
    state: Literal["active", "withdrawn"] | None = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[ItemAnswer]:
    """Answer with a page of items, oldest first; each filter that is given must hold."""
    workspace: Workspace = request.app.state.workspace
    return page_of_items(workspace, cursor, limit, dataset=dataset, licence=licence, blob_sha256=sha256, state=state)


@router.post(
    "/{item_id}/amendments",
    status_code=201,
    responses=CONDITION_FAILED,
    dependencies=needs("items:write"),
    summary="Amend an item's record",
)
def post_amendment(
    request: Request,
    response: Response,
    item_id: str,
    body: Amendment,
    idempotency_key: Key = None,
    if_match: IfMatch = None,
) -> ItemAnswer:
    """Change what is recorded of an item. The change is a new entry; the old record stays in the log."""
    answer = _change_once(request, "items.amend", item_id, body, idempotency_key, if_match, amend_item)
    return _tagged(response, answer)


@router.post(
    "/{item_id}/withdrawal",
    status_code=201,
    responses=CONDITION_FAILED,
    dependencies=needs("items:write"),
    summary="Withdraw an item",
)
def post_withdrawal(
    request: Request,
    response: Response,
    item_id: str,
    body: Withdrawal,
    idempotency_key: Key = None,
    if_match: IfMatch = None,
) -> ItemAnswer:
    """Withdraw an item: it stays on record, and no manifest that is sealed from now on can hold it."""
    answer = _change_once(request, "items.withdraw", item_id, body, idempotency_key, if_match, withdraw_item)
    return _tagged(response, answer)


def _change_once(
    request: Request,
    operation: str,
    item_id: str,
    body: Change,
    key: str | None,
    if_match: str | None,
    change: Callable[[Session, str, Change], Item],
) -> ItemAnswer:
    workspace: Workspace = request.app.state.workspace
    digest = sha256_hex(canonical_json({"item": item_id, "body": body.model_dump(mode="json")}))
    with workspace.writing() as session:
        made_before = find_effect(session, operation, key, digest)
        if made_before is None:
            item = lock_item(session, item_id)
            verify_precondition(if_match, lambda: build_item_answer(session, item))
            change(session, item_id, body)
            bind_effect(session, operation, key, digest, item_id)
    workspace.log.integrate()
    with workspace.reading() as session:
        return build_item_answer(session, load_item(session, item_id))


def _tagged(response: Response, answer: ItemAnswer) -> ItemAnswer:
    # RFC 9110 section 8.7: the answer is what a GET of the item gives, so its tag can be used for the next change.
    response.headers["Content-Location"] = f"/v1/items/{answer.id}"
    response.headers["ETag"] = build_etag(answer)
    return answer


@router.get("/{item_id}/history", dependencies=NEEDS_VISIBILITY, summary="Show everything that the log says of an item")
def get_history(request: Request, item_id: str) -> History:
    """Answer with the entries about an item, oldest first, each with its receipt."""
    workspace: Workspace = request.app.state.workspace
    return build_history(workspace, item_id)
