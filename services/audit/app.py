"""The audit service over HTTP."""

from fastapi import FastAPI

from services.audit.endpoints import router
from shared.workspace import Workspace


def add_audit(app: FastAPI, workspace: Workspace) -> None:
    """Add the audit service's routes to an app."""
    app.state.workspace = workspace
    app.include_router(router)
