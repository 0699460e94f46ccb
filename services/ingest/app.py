"""The ingest service over HTTP: registration and what follows it, search by image, and the log."""

from fastapi import FastAPI

from services.ingest.archive.endpoints import router as archive_router
from services.ingest.batch.endpoints import router as batch_router
from services.ingest.diligence.endpoints import router as diligence_router
from services.ingest.items.endpoints import router as items_router
from services.ingest.lifecycle.endpoints import router as lifecycle_router
from services.ingest.log.endpoints import router as log_router
from services.ingest.manifests.absence import ProofLimits
from services.ingest.manifests.endpoints import router as manifests_router
from services.ingest.registration.endpoints import router as registration_router
from services.ingest.search.endpoints import router as search_router
from services.ingest.signals.endpoints import router as signals_router


def add_ingest(app: FastAPI) -> None:
    """Add the ingest service's routes to an app; they read `app.state.workspace` and `app.state.image_search`."""
    app.state.proof_limits = ProofLimits()
    app.include_router(search_router)
    app.include_router(registration_router)
    app.include_router(items_router)
    app.include_router(batch_router)
    app.include_router(lifecycle_router)
    app.include_router(diligence_router)
    app.include_router(signals_router)
    app.include_router(archive_router)
    app.include_router(manifests_router)
    app.include_router(log_router)
