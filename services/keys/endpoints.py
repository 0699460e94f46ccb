"""`/v1/keys`: make keys, list and revoke them."""

from fastapi import APIRouter, Response

from services.keys.schemas import CreatedKey, KeyAnswer, KeyEntry, KeyRequest
from services.keys.service import create_key, page_of_key_entries, page_of_keys, revoke_key, show_key
from shared.auth.access import needs
from shared.http.conditional import ConditionalRoute
from shared.http.dependencies import CurrentWorkspace, PageQuery
from shared.http.idempotency import Key
from shared.http.paging import Page
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/keys", tags=["keys"], responses=PROBLEM_RESPONSES, route_class=ConditionalRoute)


@router.post("", status_code=201, dependencies=needs("keys:write"), summary="Make a key")
def post_key(workspace: CurrentWorkspace, response: Response, body: KeyRequest, idempotency_key: Key = None) -> CreatedKey:
    """Make a key with scopes that the caller has. The key is shown this once; kept is a digest of it.

    Sent again with the same Idempotency-Key, the answer names the key that was made, without its text: revoke it and make
    another one where the first answer was lost.
    """
    answer = create_key(workspace, body, idempotency_key)
    response.headers["Location"] = f"/v1/keys/{answer.id}"
    response.headers["Cache-Control"] = "no-store"
    return answer


@router.get("", dependencies=needs("keys:write"), summary="List keys")
def get_keys(workspace: CurrentWorkspace, page: PageQuery) -> Page[KeyAnswer]:
    """Answer with a page of keys, oldest first, revoked and expired ones included; those beyond the caller are left out."""
    return page_of_keys(workspace, page)


@router.get("/{key_id}", dependencies=needs("keys:write"), summary="Show one key")
def get_api_key(workspace: CurrentWorkspace, key_id: str) -> KeyAnswer:
    """Answer with what a key may do, for whom it speaks, until when, and when it was last used."""
    return show_key(workspace, key_id)


@router.get("/{key_id}/history", dependencies=needs("keys:write"), summary="Show what was done with a key")
def get_key_history(workspace: CurrentWorkspace, key_id: str, page: PageQuery) -> Page[KeyEntry]:
    """Answer with a page of the log's entries that were made with a key, oldest first, each with its receipt.

    An entry commits to its key as `by`. The opening shows it, and `sleeve verify receipt --opening` checks it offline.
    """
    return page_of_key_entries(workspace, key_id, page)


@router.post("/{key_id}/revoke", dependencies=needs("keys:write"), summary="Revoke a key")
def post_key_revocation(workspace: CurrentWorkspace, key_id: str) -> KeyAnswer:
    """Let a key count no more: the next request with it is refused, by every process. To revoke it again changes nothing."""
    return revoke_key(workspace, key_id)
