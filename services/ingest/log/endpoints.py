"""The log over HTTP: checkpoint, key and tiles, as C2SP tlog-tiles lays them out."""

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, PlainTextResponse

from shared.errors import NotFoundError
from shared.workspace import Workspace

router = APIRouter(tags=["log"])

# C2SP tlog-tiles: tiles and bundles never change, the checkpoint does.
IMMUTABLE = "public, max-age=31536000, immutable"


@router.get("/checkpoint", response_class=PlainTextResponse, summary="The newest signed checkpoint")
def get_checkpoint(request: Request) -> PlainTextResponse:
    """Answer with the log's newest checkpoint, a signed note (C2SP tlog-checkpoint)."""
    workspace: Workspace = request.app.state.workspace
    return PlainTextResponse(workspace.log.checkpoint().note, headers={"Cache-Control": "no-store"})


@router.get("/log.vkey", response_class=PlainTextResponse, summary="The log's public key")
def get_key(request: Request) -> PlainTextResponse:
    """Answer with the log's verifier key (C2SP signed-note)."""
    workspace: Workspace = request.app.state.workspace
    return PlainTextResponse(workspace.log.vkey + "\n")


@router.get("/tile/{path:path}", response_class=FileResponse, summary="A tile or an entry bundle")
def get_tile(request: Request, path: str) -> FileResponse:
    """Answer with one tile or entry bundle."""
    workspace: Workspace = request.app.state.workspace
    root = (workspace.home / "log" / "tile").resolve()
    file = (root / path).resolve()
    if not file.is_relative_to(root) or not file.is_file():
        raise NotFoundError(f"no tile {path!r}", code="tile_not_found")
    return FileResponse(file, media_type="application/octet-stream", headers={"Cache-Control": IMMUTABLE})
