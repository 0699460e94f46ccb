"""The three services in one process: what `sleeve serve` runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog
import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from sqlalchemy.exc import SQLAlchemyError

from services.api.description import describe_api
from services.audit.app import add_audit
from services.audit.jobs.kinds import AUDIT_JOBS
from services.ingest.app import add_ingest
from services.ingest.archive.jobs import ARCHIVE_JOBS
from services.ingest.search.fingerprint_backlog import background_catch_up
from services.ingest.search.service import ImageSearch
from services.keys.endpoints import router as keys_router
from services.output_gate.app import add_output_gate, open_output_gate
from services.output_gate.background_indexer import background_indexing
from services.output_gate.checks.batches import CHECK_JOBS
from services.output_gate.gate import Gate, open_gate
from services.output_gate.webhooks.delivery import RECEIVERS_AT_ONCE, WEBHOOK_JOBS
from services.server.jobs import router as jobs_router
from services.server.landing import router as landing_router
from shared.auth.access import PUBLIC
from shared.code_version import code_version
from shared.errors import SleeveError
from shared.http.authentication import Authentication
from shared.http.loopback import LoopbackOnly
from shared.http.problems import add_problem_handlers
from shared.http.request_limits import RequestBounds
from shared.jobs.worker import running_worker
from shared.settings import Settings, is_loopback
from shared.workspace import Workspace, open_workspace

# A checkpoint follows a commit within a second, whichever process committed.
INTEGRATE_SECONDS = 0.5
# What a form has beside its image: fields of at most a megabyte each, Starlette's own bound, and at most two of them.
FORM_BYTES = 3 * 2**20
# A manifest names at most a million items; an id with its quotes and comma takes 39 bytes.
MAX_JSON_BYTES = 40 * 2**20
# What reads its body as it comes, line by line, each of a bounded length.
STREAMS = ("/v1/items/batch",)

log = structlog.get_logger()

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
        lifespan=_run_sequencer,
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
    def get_health() -> dict[str, str]:
        """Answer as long as the process runs."""
        return {"status": "ok"}

    return app


@asynccontextmanager
async def _run_sequencer(app: FastAPI) -> AsyncIterator[None]:
    """While the server runs, checkpoint what any process appended, fingerprint images and run jobs; then close the gate."""
    sequencer = asyncio.create_task(_integrate_for_ever(app.state.workspace))
    try:
        workspace: Workspace = app.state.workspace
        with (
            background_catch_up(workspace),
            background_indexing(app.state.gate.indexer),
            # Workers of their own: a release does not wait behind captures of the web, nor a message behind a job of hours.
            running_worker(workspace, ARCHIVE_JOBS, workspace),
            running_worker(workspace, CHECK_JOBS, app.state.gate),
            running_worker(workspace, WEBHOOK_JOBS, workspace, at_once=RECEIVERS_AT_ONCE),
            running_worker(workspace, AUDIT_JOBS, workspace),
        ):
            yield
    finally:
        sequencer.cancel()
        with suppress(asyncio.CancelledError):
            await sequencer
        app.state.gate.close()


async def _integrate_for_ever(workspace: Workspace) -> None:
    while True:
        try:
            await asyncio.to_thread(workspace.log.integrate)
        except (SQLAlchemyError, SleeveError, OSError) as error:
            # Database or disk may come back; until then every request for a receipt fails, and says why.
            log.warning("integrate_failed", error=type(error).__name__)
        await asyncio.sleep(INTEGRATE_SECONDS)


def create_app(workspace: Workspace, gate: Gate) -> FastAPI:
    """Build the one-process application over an open workspace and gate; closing the app closes the gate."""
    app = build_api()
    app.state.workspace = workspace
    open_output_gate(app, gate)
    app.state.image_search = ImageSearch(workspace)
    app.add_middleware(
        RequestBounds, max_body_bytes=max(workspace.limits.max_bytes + FORM_BYTES, MAX_JSON_BYTES), streams=STREAMS
    )
    # The last one added is asked first.
    if workspace.settings.authentication == "keys":
        app.add_middleware(Authentication, workspace=workspace)
    else:
        app.add_middleware(LoopbackOnly)
        app.openapi = partial(describe_api, app, with_keys=False)  # type: ignore[method-assign]
    return app


def build_server(settings: Settings) -> uvicorn.Server:
    """Open workspace and gate and build the server over them.

    Raises:
        InputError: a setting is unusable.
        UnavailableError: the database is down, or another process owns the index.
    """
    workspace = open_workspace(settings)
    app = create_app(workspace, open_gate(workspace))
    if not is_loopback(settings.host):
        log.warning("listening_beyond_loopback", host=settings.host, expected="a proxy in front that speaks TLS")
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies or "",
    )
    return uvicorn.Server(config)
