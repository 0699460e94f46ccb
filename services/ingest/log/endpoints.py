"""The log over HTTP: checkpoint, key, tiles and entry bundles.

Rules, in order:

1. Only paths that the format allows are looked up, so neither the writer's lock nor its temporary files can be asked for.
2. Tiles and bundles never change and may be kept for ever; the checkpoint does and may not be kept.
3. An unfinished tile stays available after the full one took its place.

Source: C2SP tlog-tiles, tlog-checkpoint.
"""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from shared.auth.access import PUBLIC
from shared.http.dependencies import CurrentWorkspace
from shared.http.problems import PROBLEM_RESPONSES

router = APIRouter(tags=["log"])

# RFC 8246 for what never changes; a year is what caches take for "always" (RFC 2616 section 14.21).
IMMUTABLE = "public, max-age=31536000, immutable"
# RFC 9111 section 5.2.2.5: an old checkpoint would hide what was recorded since.
NEVER_KEPT = "no-store"
OCTETS = "application/octet-stream"

_TILE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}}, "description": "Hashes or entries"},
    404: PROBLEM_RESPONSES[404],
}


@router.get("/checkpoint", response_class=PlainTextResponse, dependencies=PUBLIC, summary="The newest signed checkpoint")
def get_checkpoint(workspace: CurrentWorkspace) -> PlainTextResponse:
    """Answer with the log's newest checkpoint, a signed note (C2SP tlog-checkpoint)."""
    return PlainTextResponse(workspace.log.checkpoint().note, headers={"Cache-Control": NEVER_KEPT})


@router.get("/log.vkey", response_class=PlainTextResponse, dependencies=PUBLIC, summary="The log's public key")
def get_key(workspace: CurrentWorkspace) -> PlainTextResponse:
    """Answer with the log's verifier key (C2SP signed-note)."""
    return PlainTextResponse(workspace.log.vkey + "\n")


@router.get(
    "/tile/{path:path}",
    response_class=Response,
    responses=_TILE_RESPONSES,
    dependencies=PUBLIC,
    summary="A tile or an entry bundle",
)
def get_tile(workspace: CurrentWorkspace, path: str) -> Response:
    """Answer with the 32-byte hashes of a tile, or with the length-prefixed entries of a bundle."""
    data = workspace.log.resource(f"tile/{path}")
    return Response(data, media_type=OCTETS, headers={"Cache-Control": IMMUTABLE})
