"""What the server does beside answering: it checkpoints the log, fingerprints and indexes images, and runs jobs."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from services.audit.jobs.kinds import AUDIT_JOBS
from services.ingest.archive.jobs import ARCHIVE_JOBS
from services.ingest.search.fingerprint_backlog import background_catch_up
from services.output_gate.background_indexer import background_indexing
from services.output_gate.checks.batches import CHECK_JOBS
from services.output_gate.gate import Gate
from services.output_gate.webhooks.delivery import RECEIVERS_AT_ONCE, WEBHOOK_JOBS
from shared.errors import SleeveError
from shared.jobs.worker import running_worker
from shared.workspace import Workspace

# A checkpoint follows a commit within a second, whichever process committed.
INTEGRATE_SECONDS = 0.5

log = structlog.get_logger()


@asynccontextmanager
async def run_background_work(app: FastAPI) -> AsyncIterator[None]:
    """Run all of it as long as the application serves requests; then close the gate."""
    workspace: Workspace = app.state.workspace
    gate: Gate = app.state.gate
    sequencer = asyncio.create_task(_integrate_for_ever(workspace))
    try:
        with background_catch_up(workspace), background_indexing(gate.indexer), _running_workers(workspace, gate):
            yield
    finally:
        sequencer.cancel()
        with suppress(asyncio.CancelledError):
            await sequencer
        gate.close()


@contextmanager
def _running_workers(workspace: Workspace, gate: Gate) -> Iterator[None]:
    """Run jobs, each service's by a worker of its own.

    So a release does not wait behind captures of the web, nor a message behind a job of hours.
    """
    with (
        running_worker(workspace, ARCHIVE_JOBS, workspace),
        running_worker(workspace, CHECK_JOBS, gate),
        running_worker(workspace, WEBHOOK_JOBS, workspace, at_once=RECEIVERS_AT_ONCE),
        running_worker(workspace, AUDIT_JOBS, workspace),
    ):
        yield


async def _integrate_for_ever(workspace: Workspace) -> None:
    while True:
        try:
            await asyncio.to_thread(workspace.log.integrate)
        except (SQLAlchemyError, SleeveError, OSError) as error:
            # Database or disk may come back; until then every request for a receipt fails, and says why.
            log.warning("integrate_failed", error=type(error).__name__)
        await asyncio.sleep(INTEGRATE_SECONDS)
