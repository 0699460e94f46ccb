"""The three services in one process, on loopback: what `sleeve serve` runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from services.audit.app import add_audit
from services.ingest.app import add_ingest
from services.output_gate.app import add_output_gate
from services.output_gate.gate import Gate, open_gate
from shared.code_version import code_version
from shared.problems import add_problem_handlers
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace

DESCRIPTION = """Provenance of training images, memorisation audits, and a gate for generations, proved by one log.

Every error is `application/problem+json` (RFC 9457). Every receipt is a C2SP `tlog-proof`; `sleeve verify receipt` and any
client of that format check it offline."""


def build_api() -> FastAPI:
    """Build the application's routes and error answers, without anything to serve from: what OpenAPI describes.

    The pages at /docs and /redoc bring their own scripts, so that they work, and tell nobody, without a network.
    """
    app = FastAPIOffline(title="Sleeve", version=code_version(), description=DESCRIPTION, lifespan=_close_gate)
    add_problem_handlers(app)
    add_ingest(app)
    add_audit(app)
    add_output_gate(app)

    @app.get("/healthz", tags=["service"], summary="Is the process up?")
    def get_health() -> dict[str, str]:
        """Answer as long as the process runs."""
        return {"status": "ok"}

    return app


@asynccontextmanager
async def _close_gate(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.gate.close()


def create_app(workspace: Workspace, gate: Gate) -> FastAPI:
    """Build the one-process application over an open workspace and gate; closing the app closes the gate."""
    app = build_api()
    app.state.workspace = workspace
    app.state.gate = gate
    return app


def build_server(settings: Settings) -> uvicorn.Server:
    """Open workspace and gate and build the server over them.

    Raises:
        InputError: a setting is unusable.
        UnavailableError: the database is down, or another process owns the index.
    """
    workspace = open_workspace(settings)
    app = create_app(workspace, open_gate(workspace))
    return uvicorn.Server(uvicorn.Config(app, host=settings.host, port=settings.port, log_level="warning"))
