"""`GET /v1/items`: list items, show one, its receipt and its history."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from services.ingest.items.access import NEEDS_VISIBILITY
from services.ingest.items.schemas import History, ItemAnswer
from services.ingest.items.service import build_history, load_item_receipt, page_of_items, show_item
from shared.auth.access import PUBLIC, needs
from shared.auth.item_visibility import PublicItem
from shared.http.conditional import ConditionalRoute
from shared.http.dependencies import CurrentWorkspace, PageQuery
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/items", tags=["items"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)


@router.get("/{item_id}", dependencies=needs("items:read", "items:own"), summary="Show one item")
def get_item(workspace: CurrentWorkspace, item_id: str) -> ItemAnswer | PublicItem:
    """Answer with an item's record; a key that speaks for one party sees of others' items what anyone may see."""
    return show_item(workspace, item_id)


@router.get("/{item_id}/receipt", response_class=PlainTextResponse, dependencies=PUBLIC, summary="Fetch an item's receipt")
def get_item_receipt(workspace: CurrentWorkspace, item_id: str) -> PlainTextResponse:
    """Answer with the proof that the item's registration is in the log (C2SP tlog-proof)."""
    return PlainTextResponse(load_item_receipt(workspace, item_id))


@router.get("", dependencies=needs("items:read", "items:own"), summary="List items")
def get_items(
    workspace: CurrentWorkspace,
    page: PageQuery,
    dataset: Annotated[str | None, Query(max_length=2000)] = None,
    licence: Annotated[str | None, Query(max_length=2000)] = None,
    sha256: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
    state: Literal["active", "withdrawn"] | None = None,
) -> Page[ItemAnswer]:
    """Answer with a page of items, oldest first; each filter that is given must hold."""
    return page_of_items(workspace, page, dataset=dataset, licence=licence, blob_sha256=sha256, state=state)


@router.get("/{item_id}/history", dependencies=NEEDS_VISIBILITY, summary="Show everything that the log says of an item")
def get_history(workspace: CurrentWorkspace, item_id: str) -> History:
    """Answer with the entries about an item, oldest first, each with its receipt."""
    return build_history(workspace, item_id)
