"""Searches for an owner over REST: for one item, or one search for many."""

from fastapi import APIRouter, Response

from services.ingest.diligence.schemas import ItemDiligence, OwnerSearch, OwnerSearchAnswer, OwnerSearchOfMany
from services.ingest.diligence.service import record_owner_search, show_item_searches, show_search
from services.ingest.items.access import NEEDS_VISIBILITY
from shared.auth.access import needs
from shared.http.conditional import ConditionalRoute
from shared.http.dependencies import CurrentWorkspace
from shared.http.idempotency import Key
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["diligence"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)


@router.post(
    "/items/{item_id}/diligence",
    status_code=201,
    dependencies=needs("items:write"),
    summary="Record a search for an item's owner",
)
def create_item_search(
    workspace: CurrentWorkspace, response: Response, item_id: str, body: OwnerSearch, idempotency_key: Key = None
) -> OwnerSearchAnswer:
    """Log a search that was made after registration. It stands beside the earlier ones; nothing is replaced."""
    answer = record_owner_search(workspace, [item_id], body, idempotency_key)
    response.headers["Location"] = f"/v1/diligence/{answer.id}"
    return answer


@router.post(
    "/diligence", status_code=201, dependencies=needs("items:write"), summary="Record one search for the owner of many items"
)
def create_search(
    workspace: CurrentWorkspace, response: Response, body: OwnerSearchOfMany, idempotency_key: Key = None
) -> OwnerSearchAnswer:
    """Log one search for every item that it was about: an entry each, all of them or none."""
    answer = record_owner_search(workspace, body.items, body, idempotency_key)
    response.headers["Location"] = f"/v1/diligence/{answer.id}"
    return answer


@router.get("/diligence/{search_id}", dependencies=needs("items:read"), summary="Show one search")
def get_search(workspace: CurrentWorkspace, search_id: str) -> OwnerSearchAnswer:
    """Answer with a search that was made after registration, and the items that it was about."""
    return show_search(workspace, search_id)


@router.get(
    "/items/{item_id}/diligence",
    dependencies=NEEDS_VISIBILITY,
    summary="List the searches for an item's owner",
)
def get_item_diligence(workspace: CurrentWorkspace, item_id: str) -> ItemDiligence:
    """Answer with every search for the owner of an item, those stated at its registration first."""
    return show_item_searches(workspace, item_id)
