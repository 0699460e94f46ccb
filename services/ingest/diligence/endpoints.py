"""Searches for an owner over REST: for one item, or one search for many."""

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from services.ingest.diligence.answers import build_item_diligence, build_search_answer
from services.ingest.diligence.schemas import ItemDiligence, OwnerSearch, OwnerSearchAnswer, OwnerSearchOfMany
from services.ingest.diligence.service import record_search
from services.ingest.items.access import NEEDS_VISIBILITY
from shared.auth.access import needs
from shared.canonical import canonical_json, sha256_hex
from shared.http.conditional import ConditionalRoute
from shared.http.idempotency import Key
from shared.http.problems import PROBLEM_RESPONSES
from shared.records.idempotency import bind_effect, find_effect
from shared.workspace import Workspace

router = APIRouter(prefix="/v1", tags=["diligence"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)

OPERATION = "diligence.search"


@router.post(
    "/items/{item_id}/diligence",
    status_code=201,
    dependencies=needs("items:write"),
    summary="Record a search for an item's owner",
)
def create_item_search(
    request: Request, response: Response, item_id: str, body: OwnerSearch, idempotency_key: Key = None
) -> OwnerSearchAnswer:
    """Log a search that was made after registration. It stands beside the earlier ones; nothing is replaced."""
    return _record_once(request, response, [item_id], body, idempotency_key)


@router.post(
    "/diligence", status_code=201, dependencies=needs("items:write"), summary="Record one search for the owner of many items"
)
def create_search(
    request: Request, response: Response, body: OwnerSearchOfMany, idempotency_key: Key = None
) -> OwnerSearchAnswer:
    """Log one search for every item that it was about: an entry each, all of them or none."""
    return _record_once(request, response, body.items, body, idempotency_key)


def _record_once(
    request: Request, response: Response, item_ids: Sequence[str], search: OwnerSearch, key: str | None
) -> OwnerSearchAnswer:
    workspace: Workspace = request.app.state.workspace
    digest = sha256_hex(canonical_json({"items": list(item_ids), "search": search.model_dump(mode="json", exclude={"items"})}))
    with workspace.writing() as session:
        search_id = find_effect(session, OPERATION, key, digest)
        if search_id is None:
            search_id = record_search(session, item_ids, search)
            bind_effect(session, OPERATION, key, digest, search_id)
    response.headers["Location"] = f"/v1/diligence/{search_id}"
    return build_search_answer(workspace, search_id)


@router.get("/diligence/{search_id}", dependencies=needs("items:read"), summary="Show one search")
def get_search(request: Request, search_id: str) -> OwnerSearchAnswer:
    """Answer with a search that was made after registration, and the items that it was about."""
    workspace: Workspace = request.app.state.workspace
    return build_search_answer(workspace, search_id)


@router.get(
    "/items/{item_id}/diligence",
    dependencies=NEEDS_VISIBILITY,
    summary="List the searches for an item's owner",
)
def get_item_diligence(request: Request, item_id: str) -> ItemDiligence:
    """Answer with every search for the owner of an item, those stated at its registration first."""
    workspace: Workspace = request.app.state.workspace
    return build_item_diligence(workspace, item_id)
