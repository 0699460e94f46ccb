"""The ingest service over HTTP: registration, and the log."""

from fastapi import FastAPI

from services.ingest.log.endpoints import router as log_router
from services.ingest.registration.endpoints import router as registration_router
from shared.workspace import Workspace


def add_ingest(app: FastAPI, workspace: Workspace) -> None:
    """Add the ingest service's routes to an app."""
    app.state.workspace = workspace
    app.include_router(registration_router)
    app.include_router(log_router)
