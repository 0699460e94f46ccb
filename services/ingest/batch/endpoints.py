"""`POST /v1/items/batch`: a stream of registrations; `service` says what is answered."""

from functools import partial
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from services.ingest.batch.duplex_stream import StreamedAnswer
from services.ingest.batch.service import register_stream
from shared.auth.access import needs
from shared.http.dependencies import CurrentWorkspace
from shared.http.idempotency import Key
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/items", tags=["items"], responses=PROBLEM_RESPONSES)

# IANA has registered neither; the first is what https://jsonlines.org proposes and what OpenAPI 3.2 names for sequences.
MEDIA_TYPE = "application/jsonl"
# Generated clients know a stream as bytes alone.
MEDIA_TYPES = (MEDIA_TYPE, "application/x-ndjson", "application/octet-stream")

_TEXT = {"schema": {"type": "string"}}
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_REQUEST = {"requestBody": {"required": True, "content": dict.fromkeys(MEDIA_TYPES, _TEXT) | {MEDIA_TYPES[-1]: _BYTES}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: _TEXT}, "description": "What became of each row, then a summary; JSON Lines"},
    415: {**PROBLEM_RESPONSES[422], "description": "Another media type, or an encoded body"},
}


@router.post(
    "/batch",
    dependencies=needs("items:write"),
    summary="Register a stream of images",
    openapi_extra=_REQUEST,
    responses=_RESPONSES,
    response_class=Response,
)
async def register_batch(workspace: CurrentWorkspace, request: Request, idempotency_key: Key = None) -> Response:
    """Register each line of a JSON Lines stream: a record with `image` (base64) or `sha256` of bytes registered before.

    The answer has a line for each row, in order, as soon as the row is durable and under a signed checkpoint, and ends with a
    summary. The same stream sent again answers `known` and changes nothing.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise HTTPException(415, f"expected {' or '.join(MEDIA_TYPES)}, got {media_type[:100] or 'no media type'}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "expected a body without content encoding")
    return StreamedAnswer(partial(register_stream, workspace, idempotency_key), MEDIA_TYPE, workspace.home)
