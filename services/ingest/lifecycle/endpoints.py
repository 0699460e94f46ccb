"""`/v1/items`: list, amend, withdraw, history."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel
from sqlmodel import Session

from services.ingest.lifecycle.schemas import Amendment, EntryAnswer, History, Withdrawal
from services.ingest.lifecycle.service import amend_item, withdraw_item
from services.ingest.registration.answers import build_item_answer
from services.ingest.registration.schemas import ItemAnswer
from shared.canonical import canonical_json, sha256_hex
from shared.ledger.entries import parse_entry
from shared.paging import Page, decode_cursor, encode_cursor
from shared.problems import PROBLEM_RESPONSES
from shared.records.idempotency import bind_effect, find_effect
from shared.records.items import Item, list_items, load_entry_ids, load_item
from shared.workspace import Workspace

router = APIRouter(prefix="/v1/items", tags=["items"], responses=PROBLEM_RESPONSES)

Change = TypeVar("Change", bound=BaseModel)
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)]


@router.get("", summary="List items")
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
    after = decode_cursor(cursor) if cursor else ""
    with workspace.reading() as session:
        found = list_items(session, after, limit + 1, dataset=dataset, licence=licence, blob_sha256=sha256, state=state)
        shown = [build_item_answer(session, item) for item in found[:limit]]
    return Page(items=shown, next_cursor=encode_cursor(found[limit - 1].id) if len(found) > limit else None)


@router.post("/{item_id}/amendments", status_code=201, summary="Amend an item's record")
def post_amendment(request: Request, item_id: str, body: Amendment, idempotency_key: Key = None) -> ItemAnswer:
    """Change what is recorded of an item. The change is a new entry; the old record stays in the log."""
    return _change_once(request, "items.amend", item_id, body, idempotency_key, amend_item)


@router.post("/{item_id}/withdrawal", status_code=201, summary="Withdraw an item")
def post_withdrawal(request: Request, item_id: str, body: Withdrawal, idempotency_key: Key = None) -> ItemAnswer:
    """Withdraw an item: it stays on record, and no manifest that is sealed from now on can hold it."""
    return _change_once(request, "items.withdraw", item_id, body, idempotency_key, withdraw_item)


def _change_once(
    request: Request,
    operation: str,
    item_id: str,
    body: Change,
    key: str | None,
    change: Callable[[Session, str, Change], Item],
) -> ItemAnswer:
    workspace: Workspace = request.app.state.workspace
    digest = sha256_hex(canonical_json({"item": item_id, "body": body.model_dump(mode="json")}))
    with workspace.writing() as session:
        made_before = find_effect(session, operation, key, digest)
        if made_before is None:
            change(session, item_id, body)
            bind_effect(session, operation, key, digest, item_id)
    workspace.log.integrate()
    with workspace.reading() as session:
        return build_item_answer(session, load_item(session, item_id))


@router.get("/{item_id}/history", summary="Show everything that the log says of an item")
def get_history(request: Request, item_id: str) -> History:
    """Answer with the entries about an item, oldest first, each with its receipt."""
    workspace: Workspace = request.app.state.workspace
    with workspace.reading() as session:
        entry_ids = load_entry_ids(session, load_item(session, item_id))
    entries = []
    for entry_id, receipt in zip(entry_ids, workspace.log.receipts(entry_ids), strict=True):
        index = workspace.log.index_of(entry_id)
        entry = parse_entry(workspace.log.entry(index))
        entries.append(EntryAnswer(index=index, type=entry.type, at=entry.at, body=dict(entry.body), receipt=receipt))
    return History(entries=entries)
