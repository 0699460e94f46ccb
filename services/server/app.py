"""The application: the routes of every service in one process, and what stands in front of them."""

from functools import partial

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from services.api.description import describe_api
from services.audit.app import add_audit
from services.ingest.app import add_ingest
from services.ingest.search.service import ImageSearch
from services.keys.endpoints import router as keys_router
from services.output_gate.app import add_output_gate, open_output_gate
from services.output_gate.gate import Gate
from services.server.background import run_background_work
from services.server.body_limits import MAX_JSON_BYTES, build_body_limits
from services.server.connections import STREAMS
from services.server.jobs import router as jobs_router
from services.server.landing import router as landing_router
from shared.auth.access import PUBLIC
from shared.code_version import code_version
from shared.http.authentication import Authentication
from shared.http.loopback import LoopbackOnly
from shared.http.problems import add_problem_handlers
from shared.http.request_limits import RequestBounds
from shared.http.request_log import RequestLog
from shared.workspace import Workspace

DESCRIPTION = """Provenance of training images, memorisation audits, and a gate for generations, proved by one log.

Every error is `application/problem+json` (RFC 9457). Every receipt is a C2SP `tlog-proof`; `sleeve verify receipt` and any
client of that format check it offline."""


def build_api() -> FastAPI:
    """Build the application's routes and error answers, without anything to serve from: what OpenAPI describes.

    The pages at /docs and /redoc bring their own scripts, so that they work, and tell nobody, without a network.
    """
    app = FastAPIOffline(
        title="Sleeve",
        version=code_version(),
        description=DESCRIPTION,
        lifespan=run_background_work,
        generate_unique_id_function=lambda route: route.name,
    )
    app.openapi = partial(describe_api, app)  # type: ignore[method-assign]
    add_problem_handlers(app)
    add_ingest(app)
    add_audit(app)
    add_output_gate(app)
    app.include_router(keys_router)
    app.include_router(jobs_router)
    app.include_router(landing_router)

    @app.get("/healthz", tags=["service"], dependencies=PUBLIC, summary="Is the process up?")
    async def get_health() -> dict[str, str]:
        """Answer as long as the process runs; without a thread, so that no waiting request is waited for."""
        return {"status": "ok"}

    return app


def create_app(workspace: Workspace, gate: Gate) -> FastAPI:
    """Build the one-process application over an open workspace and gate; closing the app closes the gate."""
    app = build_api()
    app.state.workspace = workspace
    open_output_gate(app, gate)
    app.state.image_search = ImageSearch(workspace)
    app.add_middleware(
        RequestBounds,
        max_body_bytes=MAX_JSON_BYTES,
        path_bytes=build_body_limits(workspace.limits.max_bytes),
        streams=STREAMS,
    )
    # The middleware that is added last runs first.
    if workspace.settings.authentication == "keys":
        app.add_middleware(Authentication, workspace=workspace)
    else:
        app.add_middleware(LoopbackOnly)
        app.openapi = partial(describe_api, app, with_keys=False)  # type: ignore[method-assign]
    app.add_middleware(RequestLog, logs_access=workspace.settings.access_log)
    return app
