"""The ingest service over HTTP: registration, and the log."""

from fastapi import FastAPI

from services.ingest.lifecycle.endpoints import router as lifecycle_router
from services.ingest.log.endpoints import router as log_router
from services.ingest.manifests.endpoints import router as manifests_router
from services.ingest.registration.endpoints import router as registration_router


def add_ingest(app: FastAPI) -> None:
    """Add the ingest service's routes to an app; they read `app.state.workspace`."""
    app.include_router(registration_router)
    app.include_router(lifecycle_router)
    app.include_router(manifests_router)
    app.include_router(log_router)
